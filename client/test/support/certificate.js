// A certificate for localhost that signs itself, for servers of a test: Node has no call that makes one.
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

const DAY_MS = 86_400_000;
const [SEQUENCE, SET, INTEGER, BITS, OCTETS, OID, UTF8, UTC_TIME] = [0x30, 0x31, 0x02, 0x03, 0x04, 0x06, 0x0c, 0x17];
const [EXTENSIONS, DNS_NAME, IP_ADDRESS, VERSION] = [0xa3, 0x82, 0x87, 0xa0];

/** A value of DER. */
function der(tag, ...parts) {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const oid = (...bytes) => der(OID, bytes);
/** Without fractions of a second. */
const time = (ms) => der(UTC_TIME, `${new Date(ms).toISOString().slice(2, 19).replace(/[-T:]/g, "")}Z`);

/** Key and certificate in PEM. */
export function certificate() {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const ecdsaWithSha256 = der(SEQUENCE, oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));
  const name = der(SEQUENCE, der(SET, der(SEQUENCE, oid(0x55, 0x04, 0x03), der(UTF8, "localhost"))));
  const names = der(SEQUENCE, der(DNS_NAME, "localhost"), der(IP_ADDRESS, [127, 0, 0, 1]));
  const now = Date.now();
  const body = der(
    SEQUENCE,
    der(VERSION, der(INTEGER, [2])),
    der(INTEGER, [1], randomBytes(8)),
    ecdsaWithSha256,
    name,
    der(SEQUENCE, time(now - DAY_MS), time(now + DAY_MS)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(EXTENSIONS, der(SEQUENCE, der(SEQUENCE, oid(0x55, 0x1d, 0x11), der(OCTETS, names)))),
  );
  const whole = der(SEQUENCE, body, ecdsaWithSha256, der(BITS, [0], sign("sha256", body, privateKey)));
  const lines = whole.toString("base64").match(/.{1,64}/g).join("\n");
  return { key: privateKey.export({ type: "pkcs8", format: "pem" }), cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n` };
}
