//! Durations and ages.

use std::time::Duration;

#[cfg(feature = "cli")]
use jiff::Timestamp;

/// Returns a duration as people read it: `180 ms`, `1.5 s`, `2 min`.
#[cfg(feature = "cli")]
pub(crate) fn duration(duration: Duration) -> String {
    match duration.as_millis() {
        short @ ..1000 => format!("{short} ms"),
        whole @ ..120_000 if whole % 1000 == 0 => format!("{} s", whole / 1000),
        ..120_000 => format!("{:.1} s", duration.as_secs_f64()),
        _ => format!("{} min", duration.as_secs() / 60),
    }
}

/// Returns how long before `now` something was: `2 h 14 min`.
#[cfg(feature = "cli")]
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second()).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match () {
        () if seconds < 60 => format!("{seconds} s"),
        () if minutes < 60 => format!("{minutes} min"),
        () if hours < 24 => format!("{hours} h {} min", minutes % 60),
        () if days < 30 => format!("{days} d {} h", hours % 24),
        () => format!("{days} d"),
    }
}

/// Returns a duration that counts down, without fractions of a second: `180 ms`, `43 s`.
pub(crate) fn whole_seconds(duration: Duration) -> String {
    match duration.as_millis() {
        short @ ..1000 => format!("{short} ms"),
        _ => format!("{} s", duration.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (8_040, "2 h 14 min"),
            (86_400, "1 d 0 h"),
            (90_000, "1 d 1 h"),
            (40 * 86_400, "40 d"),
        ] {
            assert_eq!(ago(at(1_000_000), at(1_000_000 + seconds)), text);
        }
        assert_eq!(ago(at(5), at(1)), "0 s", "a clock that was set back");
    }
}
