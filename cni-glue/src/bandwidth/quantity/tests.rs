use super::*;
use proptest::prelude::*;

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

#[test]
fn rates_are_written_as_kubernetes_and_tc_have_them() {
    for (text, bits) in [
        ("1000", 1000),
        ("10000000", 10_000_000),
        ("512k", 512_000),
        ("10M", 10_000_000),
        ("1.5G", 1_500_000_000),
        ("2T", 2_000_000_000_000),
        ("1P", 1_000_000_000_000_000),
        ("1e6", 1_000_000),
        ("1.5E3", 1500),
        ("10Ki", 10_240),
        ("10Mi", 10_485_760),
        ("1Gi", 1 << 30),
        ("1Ti", 1 << 40),
        ("8000bit", 8000),
        ("10mbit", 10_000_000),
        ("10Mbit", 10_000_000),
        ("0.5GBIT", 500_000_000),
        ("1.0mibit", 1 << 20),
        ("1.000000001gbit", 1_000_000_001),
    ] {
        assert_eq!(rate(text).bits(), bits, "{text}");
    }
    assert_eq!(rate("10mbit").bytes(), 1_250_000);
}

#[test]
fn what_is_ambiguous_is_no_rate() {
    for (bad, reason) in [
        ("", "write bits"),
        ("mbit", "write bits"),
        ("10m", "thousandth"),
        ("10K", "1024 to others"),
        ("10mbps", "bytes per second"),
        ("10Mbps", "bytes per second"),
        ("10MBps", "bytes per second"),
        ("10MB", "bits per second"),
        ("10Mb", "bits per second"),
        ("10MiB", "bits per second"),
        ("10g", "write bits"),
        ("10Mbit/s", "write bits"),
        ("10 mbit", "write bits"),
        ("-1M", "write bits"),
        ("+1M", "write bits"),
        ("1e99", "write bits"),
        ("1e+6", "write bits"),
        ("1e", "write bits"),
        ("1E", "write bits"),
        ("1e16", "from 1k"),
        ("1.", "write bits"),
        (".5M", "write bits"),
        ("1.2.3M", "write bits"),
        ("1.0000000001M", "write bits"),
        ("0", "from 1k"),
        ("0M", "from 1k"),
        ("10", "from 1k"),
        ("1.1P", "from 1k"),
        ("999999999999999999T", "from 1k"),
        ("9999999999999999999", "write bits"),
        ("1000.5", "whole"),
        ("٣M", "write bits"),
    ] {
        let error = bad.parse::<Rate>().unwrap_err().to_string();
        assert!(error.contains(reason), "{bad}: {error}");
    }
}

#[test]
fn bursts_say_whether_they_are_bytes_or_bits() {
    for (text, bytes) in [
        ("1500B", 1500),
        ("64KiB", 65_536),
        ("1.5MiB", 3 << 19),
        ("512kbit", 64_000),
        ("8bit", 1),
        ("3GiB", 3 << 30),
    ] {
        assert_eq!(text.parse::<Burst>().unwrap().bytes(), bytes, "{text}");
    }
    for (bad, reason) in [
        ("65536", "CNI for bits"),
        ("64k", "write bytes"),
        ("64kb", "1024 bytes"),
        ("64KB", "1024 bytes"),
        ("64b", "bits"),
        ("64kib", "1024 bytes"),
        ("1bit", "whole"),
        ("0B", "from one byte"),
        ("4GiB", "below 4GiB"),
        ("x", "write bytes"),
    ] {
        let error = bad.parse::<Burst>().unwrap_err().to_string();
        assert!(error.contains(reason), "{bad}: {error}");
    }
}

#[test]
fn what_is_shown_can_be_written() {
    for text in [
        "10mbit", "10mibit", "1500kbit", "1001bit", "1gbit", "1000tbit",
    ] {
        assert_eq!(rate(text).to_string(), text);
    }
    for text in ["64KiB", "1500B", "3GiB", "1MiB"] {
        assert_eq!(text.parse::<Burst>().unwrap().to_string(), text);
    }
}

#[test]
fn a_burst_suits_its_rate() {
    for (text, bytes) in [
        ("1k", 16 << 10),
        ("1M", 16 << 10),
        ("4M", 50_000),
        ("10M", 72 << 10),
        ("1G", 1_250_000),
        ("100G", 125_000_000),
        ("1P", u32::MAX),
    ] {
        assert_eq!(Burst::suited_to(rate(text)).bytes(), bytes, "{text}");
    }
}

proptest! {
    #[test]
    fn a_rate_is_as_many_bits_as_it_says(bits in RATE_MIN..=RATE_MAX / 1_000_000) {
        for (unit, times) in [("", 1), ("kbit", 1000), ("mbit", 1_000_000)] {
            let rate = format!("{bits}{unit}").parse::<Rate>();
            prop_assert_eq!(rate.map(Rate::bits), Ok(bits * times));
        }
    }

    #[test]
    fn no_text_is_a_quantity_out_of_range(text in "[0-9]{1,20}[.]?[0-9]{0,4}[a-zA-Z]{0,4}") {
        if let Ok(rate) = text.parse::<Rate>() {
            prop_assert!((RATE_MIN..=RATE_MAX).contains(&rate.bits()), "{}", text);
        }
        if let Ok(burst) = text.parse::<Burst>() {
            prop_assert!(burst.bytes() > 0, "{}", text);
        }
    }
}
