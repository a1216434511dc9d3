use proptest::prelude::*;

use super::*;
use crate::fuzzing;

fn read(text: &str) -> Option<String> {
    DateTime::parse(text.as_bytes()).map(|date| date.to_rfc5322())
}

#[test]
fn dates_of_the_rfcs_and_of_old_mail_are_read() {
    let table = [
        (
            "Fri, 21 Nov 1997 09:55:06 -0600",
            Some("Fri, 21 Nov 1997 09:55:06 -0600"),
        ),
        (
            "Thu,\r\n 13\r\n  Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)",
            Some("Thu, 13 Feb 1969 23:32:00 -0330"),
        ),
        ("21 Nov 97 09:55:06 GMT", Some("Fri, 21 Nov 1997 09:55:06 +0000")),
        (
            "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600",
            Some("Fri, 21 Nov 1997 09:55:06 -0600"),
        ),
        (
            "Tue, 1 Jul 2003 ((tricky) comment) 10:52:37 +0200",
            Some("Tue, 1 Jul 2003 10:52:37 +0200"),
        ),
        ("1 jan 49 00:00 UT", Some("Fri, 1 Jan 2049 00:00:00 +0000")),
        ("1 Jan 50 00:00 EST", Some("Sun, 1 Jan 1950 00:00:00 -0500")),
        ("1 Jan 101 00:00:00 PDT", Some("Mon, 1 Jan 2001 00:00:00 -0700")),
        (
            "29 Feb 2024 23:59:60 +1400",
            Some("Thu, 29 Feb 2024 23:59:60 +1400"),
        ),
        (
            "Friday, 21-Nov-97 09:55:06 GMT",
            Some("Fri, 21 Nov 1997 09:55:06 +0000"),
        ),
        (
            "Fri Nov 21 09:55:06 1997",
            Some("Fri, 21 Nov 1997 09:55:06 +0000"),
        ),
        (
            "Thu, 10 Jul 1997 14:53:31 A",
            Some("Thu, 10 Jul 1997 14:53:31 +0000"),
        ),
        (
            "Thu, 10 Jul 1997 14:53:31",
            Some("Thu, 10 Jul 1997 14:53:31 +0000"),
        ),
        ("29 Feb 2023 00:00:00 +0000", None),
        ("32 Jan 2023 00:00:00 +0000", None),
        ("1 Zzz 2023 00:00:00 +0000", None),
        ("1 Jan 2023 24:00:00 +0000", None),
        ("1 Jan 2023", None),
        ("1 Jan 0000 00:00:00 +0000", None),
        ("", None),
        ("yesterday", None),
    ];
    for (text, expected) in table {
        assert_eq!(read(text).as_deref(), expected, "{text:?}");
    }
}

#[test]
fn moments_are_counted_from_1970() {
    let table = [
        (0, 0, "Thu, 1 Jan 1970 00:00:00 +0000"),
        (951_782_400_000, 0, "Tue, 29 Feb 2000 00:00:00 +0000"),
        (1_795_386_600_000, 60, "Sun, 22 Nov 2026 23:30:00 +0100"),
        (-1, 0, "Wed, 31 Dec 1969 23:59:59 +0000"),
        (4_102_444_799_999, -330, "Thu, 31 Dec 2099 18:29:59 -0530"),
    ];
    for (unix_ms, offset, expected) in table {
        let date = DateTime::from_unix_ms(unix_ms, offset);
        assert_eq!(date.to_rfc5322(), expected);
        assert_eq!(date.unix_ms(), unix_ms.div_euclid(1000) * 1000);
    }
    assert_eq!(DateTime::from_unix_ms(i64::MAX, 0).year, 9999);
    assert_eq!(DateTime::from_unix_ms(i64::MIN, 0).year, 1);
    assert_eq!(rfc5322(u64::MAX), "Fri, 31 Dec 9999 23:59:59 +0000");
}

#[test]
fn internal_dates_are_strict() {
    let date = DateTime::parse_internal(b"17-Jul-1996 02:44:25 -0700").unwrap();
    assert_eq!(date.to_internal(), "17-Jul-1996 02:44:25 -0700");
    let padded = DateTime::parse_internal(b" 1-jan-2020 00:00:00 +0530").unwrap();
    assert_eq!(padded.to_internal(), " 1-Jan-2020 00:00:00 +0530");
    assert_eq!(
        DateTime::parse_internal(b"01-Jan-2020 00:00:00 +0530"),
        Some(padded)
    );
    assert_eq!(internal(0), " 1-Jan-1970 00:00:00 +0000");
    for bad in [
        "1-Jan-2020 00:00:00 +0530",
        "31-Feb-2020 00:00:00 +0000",
        "01-Jan-2020 24:00:00 +0000",
        "01-Jan-2020 00-00:00 +0000",
        "01-Jan-2020 00:00:00 x0000",
        "01 Jan 2020 00:00:00 +0000",
        "aa-Jan-2020 00:00:00 +0000",
        "",
    ] {
        assert_eq!(DateTime::parse_internal(bad.as_bytes()), None, "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_written_is_read_again(unix_s in -62_135_596_800_i64..253_402_300_800, offset in -1439_i16..=1439) {
        let date = DateTime::from_unix_ms(unix_s * 1000, offset);
        prop_assert_eq!(DateTime::parse(date.to_rfc5322().as_bytes()), Some(date));
        prop_assert_eq!(DateTime::parse_internal(date.to_internal().as_bytes()), Some(date));
    }

    #[test]
    fn any_bytes_keep_the_promises(text in "[0-9A-Za-z:+() ,-]{0,50}", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        fuzzing::fuzz_date(text.as_bytes());
        fuzzing::fuzz_date(&bytes);
    }
}

#[test]
fn dates_of_rfc_3339_are_read_and_written() {
    let table = [
        ("1985-04-12T23:20:50.52Z", Some("1985-04-12T23:20:50Z")),
        ("1996-12-19T16:39:57-08:00", Some("1996-12-20T00:39:57Z")),
        ("1937-01-01t12:00:27.87+00:20", Some("1937-01-01T11:40:27Z")),
        ("2024-02-29T00:00:00z", Some("2024-02-29T00:00:00Z")),
        ("2023-02-29T00:00:00Z", None),
        ("1985-04-12T24:00:00Z", None),
        ("1985-04-12 23:20:50Z", None),
        ("1985-04-12T23:20:50", None),
        ("1985-04-12T23:20:50.Z", None),
        ("1985-04-12T23:20:50+1:00", None),
        ("1985-04-12T23:20:50+24:00", None),
        ("1985-04-12T23:20:50+00:60", None),
        ("1985-04-12T23:20:50Z ", None),
        ("+985-04-12T23:20:50Z", None),
        ("", None),
    ];
    for (text, want) in table {
        let got = DateTime::parse_rfc3339(text.as_bytes()).map(|date| date.to_rfc3339());
        assert_eq!(got.as_deref(), want, "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_date_of_rfc_3339_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..40), ms in 0_i64..4_000_000_000_000) {
        let _ = DateTime::parse_rfc3339(&bytes);
        let text = DateTime::from_unix_ms(ms, 0).to_rfc3339();
        let read = DateTime::parse_rfc3339(text.as_bytes()).map(|date| date.unix_ms());
        prop_assert_eq!(read, Some(ms / 1000 * 1000));
    }
}
