//! Tokens: what a URL has instead of the request that it stands for.
//!
//! Who has a token may do what it stands for, so it can't be guessed, is good for one use, and only
//! for a minute.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// How long a token is good for.
pub const LIFETIME: Duration = Duration::from_secs(60);
/// How many tokens may wait for their use.
pub const MOST_WAITING: usize = 1000;
/// Bytes of randomness in a token.
const RANDOM: usize = 16;

/// Requests that wait until their token is used.
#[derive(Debug)]
pub struct Tokens<T> {
    waiting: Mutex<Waiting<T>>,
}

/// Why no token can be given.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Too many wait. To be answered as RESOURCE_EXHAUSTED.
    #[error("{MOST_WAITING} requests for streams wait for their clients already")]
    TooMany,
    /// The kernel gave no random bytes.
    #[error("no random bytes for a token: {0}")]
    Random(getrandom::Error),
}

#[derive(Debug)]
struct Waiting<T> {
    requests: HashMap<String, (Instant, T)>,
    /// Tokens by age, the oldest first. Those that were used meanwhile are here until they would
    /// have expired.
    by_age: VecDeque<(Instant, String)>,
}

impl<T> Default for Tokens<T> {
    fn default() -> Self {
        let (requests, by_age) = (HashMap::new(), VecDeque::new());
        Self {
            waiting: Mutex::new(Waiting { requests, by_age }),
        }
    }
}

impl<T> Tokens<T> {
    /// Keeps a request, and gives a token for it.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn insert(&self, request: T) -> Result<String, TokenError> {
        self.insert_at(request, Instant::now())
    }

    /// The request that a token stands for, which it does no more from now on.
    pub fn take(&self, token: &str) -> Option<T> {
        self.take_at(token, Instant::now())
    }

    fn insert_at(&self, request: T, now: Instant) -> Result<String, TokenError> {
        let mut random = [0; RANDOM];
        getrandom::fill(&mut random).map_err(TokenError::Random)?;
        let token = URL_SAFE_NO_PAD.encode(random);
        let mut waiting = self.lock();
        waiting.forget_expired(now);
        if waiting.requests.len() >= MOST_WAITING {
            return Err(TokenError::TooMany);
        }
        waiting.by_age.push_back((now, token.clone()));
        waiting.requests.insert(token.clone(), (now, request));
        Ok(token)
    }

    fn take_at(&self, token: &str, now: Instant) -> Option<T> {
        let (since, request) = self.lock().requests.remove(token)?;
        (now.duration_since(since) < LIFETIME).then_some(request)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        // What is inside is whole after each line that changes it.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Waiting<T> {
    fn forget_expired(&mut self, now: Instant) {
        // Tokens that were used are forgotten with those of their age, so a client that uses each
        // at once must not make this list grow for a minute.
        if self.by_age.len() >= 2 * MOST_WAITING {
            let requests = &self.requests;
            self.by_age
                .retain(|(_, token)| requests.contains_key(token));
        }
        while let Some((since, token)) = self.by_age.front() {
            if now.duration_since(*since) < LIFETIME {
                return;
            }
            self.requests.remove(token);
            self.by_age.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_token_is_good_once() {
        let tokens = Tokens::default();
        let token = tokens.insert("exec").unwrap();
        assert!(
            token.len() >= 8
                && token
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        );
        assert_eq!(tokens.take("other"), None);
        assert_eq!(tokens.take(&token), Some("exec"));
        assert_eq!(tokens.take(&token), None);
    }

    #[test]
    fn a_token_is_good_for_a_minute() {
        let (tokens, start) = (Tokens::default(), Instant::now());
        let within = tokens.insert_at(1, start).unwrap();
        let late = tokens.insert_at(2, start).unwrap();
        assert_eq!(
            tokens.take_at(&within, start + LIFETIME - Duration::from_nanos(1)),
            Some(1)
        );
        assert_eq!(tokens.take_at(&late, start + LIFETIME), None);
    }

    #[test]
    fn a_thousand_wait_and_no_more_until_some_are_used_or_expire() {
        let (tokens, start) = (Tokens::default(), Instant::now());
        let all: Vec<_> = (0..MOST_WAITING)
            .map(|n| tokens.insert_at(n, start).unwrap())
            .collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), MOST_WAITING);
        assert!(matches!(
            tokens.insert_at(0, start),
            Err(TokenError::TooMany)
        ));
        tokens.take_at(&all[7], start).unwrap();
        tokens.insert_at(0, start).unwrap();
        assert!(matches!(
            tokens.insert_at(0, start),
            Err(TokenError::TooMany)
        ));
        tokens.insert_at(0, start + LIFETIME).unwrap();
        assert_eq!(tokens.lock().requests.len(), 1);
    }

    #[test]
    fn tokens_that_are_used_at_once_leave_nothing_behind() {
        let (tokens, start) = (Tokens::default(), Instant::now());
        for _ in 0..10 * MOST_WAITING {
            let token = tokens.insert_at((), start).unwrap();
            tokens.take_at(&token, start).unwrap();
        }
        assert!(tokens.lock().by_age.len() <= 2 * MOST_WAITING);
    }

    #[test]
    fn of_many_that_use_a_token_at_once_one_has_it() {
        let tokens = Tokens::default();
        let token = tokens.insert(()).unwrap();
        let winners = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..50 {
                scope.spawn(|| {
                    winners.fetch_add(tokens.take(&token).iter().count(), Ordering::Relaxed);
                });
            }
        });
        assert_eq!(winners.into_inner(), 1);
    }
}
