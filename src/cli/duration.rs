//! Durations as the command takes them: `500ms`, `2s`, `1m`, `0.5h`; a bare number means seconds.

use std::time::Duration;

const FORM: &str = "write a number and a unit: 500ms, 2s, 1m, 1h";

/// The longest duration. A longer one is a mistake, and is rejected before anything is done.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Parses a duration.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = |problem: &str| format!("'{}' {problem}; {FORM}", text.escape_debug());
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(wrong("is not a duration"));
    }
    let number: f64 = number.parse().map_err(|_| wrong("does not begin with a number"))?;
    let seconds = match unit {
        "ms" => 1e-3,
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => {
            return Err(format!("'{}' is not a unit of time; {FORM}", unit.escape_debug()));
        }
    };
    match Duration::try_from_secs_f64(number * seconds) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => Err(wrong("is longer than a year")),
    }
}

/// The shortest time between two passes of `watch`.
const SHORTEST: Duration = Duration::from_millis(100);

/// Parses the time between two passes.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    match parse(text)? {
        short if short < SHORTEST => {
            Err(format!("'{}' is too short an interval; 100ms is the shortest", text.escape_debug()))
        }
        interval => Ok(interval),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_people_write() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("2s", 2000),
            ("1m", 60_000),
            ("0s", 0),
            ("0", 0),
            ("5", 5000),
            ("1.5s", 1500),
            ("2min", 120_000),
            ("8760h", 31_536_000_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for wrong in ["", "s", "-1s", "-1", "5x", "1e9h", "..s", "1s2", " 1s", "NaN", "inf", "+5s", "5 s"] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains("500ms"), "{wrong}: {error}");
        }
        let ages = "9".repeat(400);
        for wrong in ["31536001s", "8761h", "31536000001ms", "999999999999999999999999h", &ages] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains("longer than a year"), "{wrong}: {error}");
        }
        assert!(parse("5parsec").unwrap_err().contains("'parsec'"));
    }

    proptest! {
        #[test]
        fn every_text_is_a_duration_of_a_year_at_most_or_an_error(text in "[0-9.eE+-]{0,24}(ms|s|m|h|NaN|inf|\\PC)?") {
            match parse(&text) {
                Ok(duration) => prop_assert!(duration <= LONGEST),
                Err(error) => prop_assert!(error.contains(FORM) || error.contains("year"), "{}", error),
            }
        }

        #[test]
        fn whole_numbers_are_exact(number in 0_u64..31_536_000) {
            prop_assert_eq!(parse(&format!("{number}s")), Ok(Duration::from_secs(number)));
            prop_assert_eq!(parse(&format!("{number}")), Ok(Duration::from_secs(number)));
            prop_assert_eq!(parse(&format!("{number}ms")), Ok(Duration::from_millis(number)));
        }
    }
}
