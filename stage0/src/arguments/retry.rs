//! How often a fetch that fails is tried again.

use std::time::Duration;

use clap::Args;
use image_registry::Retrying;

use super::duration::duration;
use crate::context::Context;

/// Flags about fetches that fail.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RetryArguments {
    /// How often a fetch that fails is tried again, also where nobody answers [default: for two minutes]
    #[arg(long, value_name = "TIMES", hide_short_help = true)]
    retry: Option<u32>,
    /// Time before each of these attempts [default: longer and longer]
    #[arg(long, value_name = "DURATION", value_parser = duration, hide_short_help = true)]
    retry_delay: Option<Duration>,
}

impl RetryArguments {
    /// The surroundings of a command that fetches like that. A registry that can't be reached may be there later if that is
    /// asked for, and for a service: it may start before the network of its machine.
    pub(crate) fn context(&self, context: &Context, is_service: bool) -> Context {
        let mut changed = context.clone();
        changed.engine.registries = changed
            .engine
            .registries
            .clone()
            .with_retrying(self.retrying(is_service));
        changed
    }

    fn retrying(&self, is_service: bool) -> Retrying {
        Retrying {
            retries: self.retry,
            pause: self.retry_delay,
            may_come_late: is_service || self.retry.is_some() || self.retry_delay.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_there_is_waited_for_by_services_and_by_who_asks_for_it() {
        let flags = |retry, seconds: Option<u64>| RetryArguments {
            retry,
            retry_delay: seconds.map(Duration::from_secs),
        };
        for (flags, is_service, waits) in [
            (flags(None, None), false, false),
            (flags(None, None), true, true),
            (flags(Some(3), None), false, true),
            (flags(None, Some(1)), false, true),
        ] {
            let retrying = flags.retrying(is_service);
            assert_eq!(retrying.may_come_late, waits, "{flags:?}");
            assert_eq!(
                (retrying.retries, retrying.pause),
                (flags.retry, flags.retry_delay)
            );
        }
    }
}
