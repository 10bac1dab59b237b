//! Durations as the command takes them: `500ms`, `2s`, `1m`, `0.5h`.

use std::time::Duration;

const FORM: &str = "write a number and a unit: 500ms, 2s, 1m, 1h";

/// A duration from its text.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = |problem: &str| format!("'{}' {problem}; {FORM}", text.escape_debug());
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(wrong("is no duration"));
    }
    let number: f64 = number.parse().map_err(|_| wrong("does not begin with a number"))?;
    let seconds = match unit {
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "" => return Err(wrong("lacks a unit")),
        _ => {
            return Err(format!("'{}' is no unit of time; {FORM}", unit.escape_debug()));
        }
    };
    Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong("is too long"))
}

/// The shortest time between two looks of `watch`.
const SHORTEST: Duration = Duration::from_millis(100);

/// The time between two looks.
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
    use super::*;

    #[test]
    fn what_people_write() {
        for (text, milliseconds) in
            [("500ms", 500), ("2s", 2000), ("1m", 60_000), ("0s", 0), ("1.5s", 1500), ("2min", 120_000)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for wrong in ["", "5", "s", "-1s", "5x", "1e9s", "..s", "1s2", "999999999999999999999999h", " 1s"] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains("500ms"), "{wrong}: {error}");
        }
        assert!(parse("5parsec").unwrap_err().contains("'parsec'"));
    }
}
