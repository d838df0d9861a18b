//! Signals as the interface numbers them.

use engine::signal_names;
use pod::signal::SignalNumber;

use crate::api::Signal;
use crate::error::CriError;

/// The signal that asks a container to end, if the request names one.
///
/// # Errors
/// If there is no such signal.
pub(crate) fn wanted(signal: i32) -> Result<Option<SignalNumber>, CriError> {
    let refused = || {
        CriError::invalid(
            "config.stop_signal",
            format!("there is no signal of number {signal}"),
        )
    };
    let signal = Signal::try_from(signal).map_err(|_| refused())?;
    if signal == Signal::RuntimeDefault {
        return Ok(None);
    }
    let number = signal_names::parse(&linux_name(signal)).ok_or_else(refused)?;
    SignalNumber::try_from(number)
        .map(Some)
        .map_err(|_| refused())
}

/// A signal as the interface has it; the default for one that it doesn't know.
pub(crate) fn told(signal: SignalNumber) -> Signal {
    let numbers = 1..=Signal::Sigrtmax as i32;
    let mut all = numbers.filter_map(|number| Signal::try_from(number).ok());
    let number = signal.number();
    all.find(|one| signal_names::parse(&linux_name(*one)) == Some(number))
        .unwrap_or(Signal::RuntimeDefault)
}

/// Its name on Linux.
fn linux_name(signal: Signal) -> String {
    let name = signal.as_str_name();
    let name = name.strip_prefix("SIGNAL_").unwrap_or(name);
    match name {
        "SIGCLD" => "SIGCHLD".to_owned(),
        "SIGIOT" => "SIGABRT".to_owned(),
        "SIGPOLL" => "SIGIO".to_owned(),
        name => name.replace("PLUS", "+").replace("MINUS", "-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_signals_of_the_interface_are_linux_ones_and_come_back() {
        assert_eq!(wanted(0).unwrap(), None);
        for number in 1..=Signal::Sigrtmax as i32 {
            let linux = wanted(number).unwrap().unwrap();
            assert_eq!(wanted(told(linux) as i32).unwrap(), Some(linux), "{number}");
        }
        let of = |signal: Signal| wanted(signal as i32).unwrap().unwrap().number();
        assert_eq!(of(Signal::Sigterm), 15);
        assert_eq!(of(Signal::Sigrtmin), 34);
        assert_eq!(of(Signal::Sigrtminplus3), 37);
        assert_eq!(of(Signal::Sigrtmaxminus14), 50);
        assert_eq!(of(Signal::Sigpoll), 29);
        wanted(66).unwrap_err();
        wanted(-1).unwrap_err();
    }
}
