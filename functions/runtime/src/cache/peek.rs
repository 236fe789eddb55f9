//! Reads of fresh values without the script (`hot.rs`): one value that this instance has just seen
//! fresh, or many values, seen or not.

use std::collections::BTreeMap;

use super::Cache;
use super::answer::{Answer, How};
use super::host::Host;
use super::hot::{At, Fresh, Verdict, judge, judge_parts};
use super::plain::{self, Found};
use super::reader::Reader;
use crate::ports::redis::{Redis, RedisError, Reply};

impl<S: Redis + Clone + 'static, H: Host> Cache<S, H> {
    /// The value if it was fresh a moment ago and still is. Reads with `If-None-Match` go to the
    /// script, which can leave out the body.
    pub(super) async fn still_fresh(
        &self,
        reader: &Reader<S, H>,
        if_none_match: &str,
    ) -> Result<Option<Answer>, RedisError> {
        let asked_ms = self.copies_since(reader);
        if let Some(answer) = self.copy_of(reader, if_none_match, asked_ms) {
            return Ok(Some(answer));
        }
        let is_asked = if_none_match.is_empty();
        let expected = self.hot.expect(reader.key(), || self.host.now_ms()).filter(|_| is_asked);
        let Some((now_ms, fresh_ms)) = expected else { return Ok(None) };
        Ok(match judge(reader.read_plainly().await?, now_ms, fresh_ms, reader.chance) {
            Verdict::Fresh(fresh) => {
                let answer = hit(fresh);
                self.keep_copy(reader, &answer, asked_ms);
                Some(answer)
            }
            Verdict::Early => None,
            Verdict::Unsure => {
                self.hot.refuse(reader.key());
                None
            }
        })
    }

    /// The time before a read, if the instance may keep a copy of its value.
    pub(super) fn copies_since(&self, reader: &Reader<S, H>) -> Option<i64> {
        reader.policy.copy_time().map(|_| self.host.now_ms())
    }

    fn copy_of(
        &self,
        reader: &Reader<S, H>,
        if_none_match: &str,
        now_ms: Option<i64>,
    ) -> Option<Answer> {
        self.copies.get(reader.key(), if_none_match, now_ms?)
    }

    /// Keeps a copy of an answer from Redis, which was asked at `asked_ms`.
    pub(super) fn keep_copy(&self, reader: &Reader<S, H>, answer: &Answer, asked_ms: Option<i64>) {
        if let (Some(time), Some(asked_ms)) = (reader.policy.copy_time(), asked_ms) {
            self.copies.keep(reader.key(), answer, asked_ms, time);
        }
    }

    /// The values that are fresh, in the order of `readers`, in one call of the store (one of each
    /// server of a cluster); `None` for a value that the script has to decide about.
    pub(super) async fn fresh_ones(
        &self,
        readers: &[&Reader<S, H>],
    ) -> Vec<Result<Option<Answer>, RedisError>> {
        let own_ms = self.host.now_ms();
        let copies = readers.iter().map(|reader| {
            let own_ms = reader.policy.copy_time().map(|_| own_ms);
            self.copy_of(reader, "", own_ms)
        });
        let copies: Vec<Option<Answer>> = copies.collect();
        let asked = readers.iter().zip(&copies).filter(|(_, copy)| copy.is_none());
        let asked: Vec<&Reader<S, H>> = asked.map(|(reader, _)| *reader).collect();
        if asked.is_empty() {
            return copies.into_iter().map(Ok).collect();
        }
        let mut found = self.fresh_in_store(&asked, own_ms).await.into_iter();
        let answers = copies.into_iter().map(|copy| match copy {
            Some(answer) => Ok(Some(answer)),
            None => found.next().unwrap_or(Ok(None)),
        });
        answers.collect()
    }

    /// As [`Cache::fresh_ones`], without this instance's copies.
    async fn fresh_in_store(
        &self,
        readers: &[&Reader<S, H>],
        asked_ms: i64,
    ) -> Vec<Result<Option<Answer>, RedisError>> {
        let own_ms = asked_ms;
        let expected = readers.iter().map(|reader| self.hot.expect(reader.key(), || own_ms));
        let expected: Vec<Option<(i64, i64)>> = expected.collect();
        let keys = Keys::of(readers);
        let with_time = expected.iter().any(Option::is_none);
        let mut found = plain::read(&self.store, &keys.list, with_time).await;
        let own_ms = if with_time { self.host.now_ms() } else { own_ms };
        let each = readers.iter().zip(expected).zip(&keys.places);
        each.map(|((reader, expected), places)| {
            reader.check_reach()?;
            let (value, companion, tags) = places.take(&mut found)?;
            let at = match (value.now_ms, expected) {
                (Some(now_ms), _) => At { now_ms, noted_ms: None },
                (None, Some((now_ms, noted_ms))) => At { now_ms, noted_ms: Some(noted_ms) },
                (None, None) => return Ok(None),
            };
            let (verdict, fresh_ms) =
                judge_parts(value.reply, &companion, tags.iter().copied(), at, reader.chance);
            Ok(match verdict {
                Verdict::Fresh(fresh) => {
                    if let Some(now_ms) = value.now_ms {
                        self.hot.note(reader.key(), fresh_ms, now_ms, own_ms);
                    }
                    let answer = hit(fresh);
                    self.keep_copy(reader, &answer, Some(asked_ms));
                    Some(answer)
                }
                Verdict::Early => None,
                Verdict::Unsure => {
                    self.hot.refuse(reader.key());
                    None
                }
            })
        })
        .collect()
    }
}

fn hit(Fresh { content, age_ms, ttl_ms, demands }: Fresh) -> Answer {
    Answer { age_ms, ttl_ms, demands, ..Answer::fetched(content, How::Hit) }
}

/// The keys of many readers. A tag that several have is read once.
struct Keys<'a> {
    list: Vec<&'a str>,
    /// For each reader.
    places: Vec<Places>,
}

/// Where a reader's keys are in the list.
struct Places {
    value: usize,
    companion: usize,
    tags: Vec<usize>,
}

impl<'a> Keys<'a> {
    fn of<S: Redis + Clone + 'static, H: Host>(readers: &[&'a Reader<S, H>]) -> Self {
        let (mut list, mut places) = (Vec::with_capacity(2 * readers.len()), Vec::new());
        let mut known: BTreeMap<&str, usize> = BTreeMap::new();
        for reader in readers {
            let (own, tags) = reader.plain_keys();
            let value = list.len();
            list.extend(own.iter().map(String::as_str));
            let tags = tags.iter().map(|tag| {
                *known.entry(tag).or_insert_with(|| {
                    list.push(tag);
                    list.len() - 1
                })
            });
            let tags = tags.collect();
            places.push(Places { value, companion: value + 1, tags });
        }
        Self { list, places }
    }
}

impl Places {
    /// A reader's value, which is taken out of `found`, companion and tags.
    ///
    /// # Errors
    /// The error of one of its keys.
    fn take<'f>(
        &self,
        found: &'f mut [Result<Found, RedisError>],
    ) -> Result<(Found, Reply, Vec<&'f Reply>), RedisError> {
        let missing = || Err(RedisError::Malformed("MGET"));
        let mut taken = |at: usize| {
            let place = found.get_mut(at).map(|place| std::mem::replace(place, missing()));
            place.unwrap_or_else(missing)
        };
        let (value, companion) = (taken(self.value)?, taken(self.companion)?);
        let found: &'f [_] = found;
        let tags = self.tags.iter().map(|at| match found.get(*at) {
            Some(Ok(tag)) => Ok(&tag.reply),
            Some(Err(error)) => Err(error.clone()),
            None => Err(RedisError::Malformed("MGET")),
        });
        Ok((value, companion.reply, tags.collect::<Result<_, _>>()?))
    }
}
