//! The ends of threads.

use std::thread;

use crate::error::ContentError;

/// What a thread came to. One that panicked has failed, whatever it had found until then.
pub fn outcome<T>(
    joined: thread::Result<Result<T, ContentError>>,
    work: &'static str,
) -> Result<T, ContentError> {
    joined.unwrap_or(Err(ContentError::WorkerPanicked { work }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_panics_has_failed() {
        let worker = thread::spawn(|| -> Result<u8, ContentError> { panic!("on purpose") });
        let error = outcome(worker.join(), "counting").unwrap_err();
        assert_eq!(
            error.to_string(),
            "counting failed unexpectedly: one of its threads panicked"
        );
        let worker = thread::spawn(|| Ok(7));
        assert_eq!(outcome(worker.join(), "counting").unwrap(), 7);
    }
}
