use proptest::prelude::*;

use super::*;

/// RFC 8291, appendix A.
mod rfc {
    pub(super) const PUBLIC: &str = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6\
        TlzAC8wEqKK6PBru3jl7A8";
    pub(super) const P256DH: &str = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPj\
        s7Vd8pZGH6SRpkNtoIAiw4";
    pub(super) const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";
    pub(super) const SECRET: &str = "kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs";
    pub(super) const SALT: &str = "DGv6ra1nlYgDCS1FRnbzlw";
    pub(super) const TEXT: &[u8] = b"When I grow up, I want to be a watermelon";
    pub(super) const BODY: &str = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlml\
        MoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXP\
        XLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
}

fn bytes(text: &str) -> Vec<u8> {
    BASE64.decode(text).unwrap()
}

#[test]
fn the_rfc_s_example_is_reproduced() {
    let keys = Keys::parse(rfc::P256DH, rfc::AUTH).unwrap();
    let salt = bytes(rfc::SALT).try_into().unwrap();
    let body = seal(&bytes(rfc::SECRET), &bytes(rfc::PUBLIC), &keys, &salt, rfc::TEXT).unwrap();
    assert_eq!(BASE64.encode(body).trim_end_matches('='), rfc::BODY);
}

/// A browser, which decrypts by the RFC and shares `derive` only, which the RFC's example checks.
struct Browser {
    private: EphemeralPrivateKey,
    keys: Keys,
}

impl Browser {
    fn new() -> Self {
        let random = SystemRandom::new();
        let private = EphemeralPrivateKey::generate(&ECDH_P256, &random).unwrap();
        let p256dh = private.compute_public_key().unwrap().as_ref().try_into().unwrap();
        Self { private, keys: Keys { p256dh, auth: [7; AUTH_BYTES] } }
    }

    fn decrypt(self, body: &[u8]) -> Option<Vec<u8>> {
        let (salt, rest) = body.split_at_checked(SALT_BYTES)?;
        let (size, rest) = rest.split_at_checked(4)?;
        let size = u32::from_be_bytes(size.try_into().ok()?) as usize;
        let (length, rest) = rest.split_first()?;
        let (public, record) = rest.split_at_checked(usize::from(*length))?;
        if record.len() > size {
            return None;
        }
        let theirs = UnparsedPublicKey::new(&ECDH_P256, public);
        let keys = self.keys;
        agreement::agree_ephemeral(self.private, &theirs, |secret| {
            let (key, nonce) = derive(secret, public, &keys, salt)?;
            let mut record = record.to_vec();
            let text = key.open_in_place(nonce, Aad::empty(), &mut record).ok()?;
            let end = text.iter().rposition(|byte| *byte != 0)?;
            (text[end] == LAST_RECORD).then(|| text[..end].to_vec())
        })
        .ok()?
    }
}

#[test]
fn the_largest_text_makes_a_body_of_4096_bytes_and_one_more_is_refused() {
    let browser = Browser::new();
    let text = vec![b'x'; WEBPUSH_TEXT_BYTES_MAX];
    let body = encrypt(&browser.keys, &text).unwrap();
    assert_eq!(body.len(), 4096);
    let longer = vec![b'x'; WEBPUSH_TEXT_BYTES_MAX + 1];
    assert_eq!(encrypt(&browser.keys, &longer), Err(EncryptError::TooLarge));
    assert_eq!(browser.decrypt(&body), Some(text));
}

#[test]
fn two_bodies_of_one_text_have_nothing_in_common() {
    let browser = Browser::new();
    let (a, b) = (encrypt(&browser.keys, b"x").unwrap(), encrypt(&browser.keys, b"x").unwrap());
    assert_ne!(a[..16], b[..16]);
    assert_ne!(a[21..86], b[21..86]);
}

#[test]
fn invalid_keys_are_refused() {
    let point_of_zeros = BASE64.encode([[4].as_slice(), &[0; 64]].concat());
    let keys = Keys::parse(&point_of_zeros, rfc::AUTH).unwrap();
    assert_eq!(encrypt(&keys, b"x"), Err(EncryptError::P256dh));
    let compressed = BASE64.encode([2; 33]);
    for p256dh in ["", "!", "AAAA", &compressed, &BASE64.encode([5; 65])] {
        assert_eq!(Keys::parse(p256dh, rfc::AUTH).unwrap_err(), EncryptError::P256dh);
    }
    for auth in ["", "AAAA", &BASE64.encode([0; 17])] {
        assert_eq!(Keys::parse(rfc::P256DH, auth).unwrap_err(), EncryptError::Auth);
    }
    assert!(Keys::parse(&format!("{}=", rfc::P256DH), "BTBZMqHH6r4Tts7J_aSIgg==").is_ok());
    assert_eq!(format!("{keys:?}"), "Keys");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_browser_decrypts_every_text(text in prop::collection::vec(any::<u8>(), 0..3993)) {
        let browser = Browser::new();
        let body = encrypt(&browser.keys, &text).unwrap();
        prop_assert_eq!(body.len(), text.len() + 103);
        prop_assert_eq!(browser.decrypt(&body), Some(text));
    }
}
