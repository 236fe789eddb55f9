// Numbers, times and sizes as texts, always in the same few digits. A missing number is a dash.

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const MISSING = "–";

const known = (value) => typeof value === "number" && Number.isFinite(value);
/** Three digits, as far as they say anything. */
const short = (value) => (value >= 100 || value === Math.round(value) ? WHOLE.format(value) : value >= 10 ? value.toFixed(1).replace(/\.0$/, "") : value.toFixed(1));

export const count = (value) => {
  if (!known(value)) return MISSING;
  return value < 1e6 ? WHOLE.format(value) : `${short(value / 1e6)} M`;
};

/** A mean: with decimals while it is small. */
export const rate = (value) => (known(value) && value > 0 && value < 10 ? (value < 0.1 ? value.toFixed(2) : short(value)) : count(value));

/** "1 client", "12 clients". */
export const many = (value, one, more = `${one}s`) => `${count(value)} ${value === 1 ? one : more}`;

export const bytes = (value) => {
  if (!known(value)) return MISSING;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (value < 1024) return `${short(value)} ${unit}`;
    value /= 1024;
  }
  return `${short(value)} TiB`;
};

/** Microseconds. */
export const latency = (us) => {
  if (!known(us)) return MISSING;
  if (us < 1000) return `${Math.round(us)} µs`;
  return us < 1e6 ? `${short(us / 1000)} ms` : `${short(us / 1e6)} s`;
};

/** Milliseconds as the two largest units: "4.2 s", "38 s", "3 min", "2 h 5 min", "3 d 4 h". */
export const span = (ms) => {
  if (!known(ms)) return MISSING;
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
};

/** The share of a whole; what is there is never 0 %, what lacks something never 100 %. */
export const share = (part, whole) => {
  if (!known(part) || !known(whole) || whole <= 0) return MISSING;
  const percent = (part / whole) * 100;
  if (percent > 0 && percent < 1) return "<1 %";
  return percent > 99 && percent < 100 ? ">99 %" : `${Math.round(percent)} %`;
};

/** Local time of day. */
export const clock = (at) => (known(at) ? new Date(at).toTimeString().slice(0, 8) : MISSING);

/** A time from outside: local time of day if it is today, else date and time; the text itself if it is none. */
export const moment = (text, now = Date.now()) => {
  const date = new Date(Date.parse(text)), today = new Date(now);
  if (Number.isNaN(date.getTime())) return String(text ?? MISSING);
  if (date.toDateString() === today.toDateString()) return clock(date.getTime());
  const two = (value) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(date.getTime()).slice(0, 5)}`;
};
