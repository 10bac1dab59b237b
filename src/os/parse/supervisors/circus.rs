//! Values in the configuration of circusd. Pure: compiled and tested on every system.

use std::time::Duration;

use super::ANY;

/// Replaces `$(circus.sockets.web)` and `((circus.wid))` with [`ANY`].
pub(crate) fn without_variables(command: &str) -> String {
    let mut replaced = String::new();
    let mut rest = command;
    loop {
        let next = [("$(", ")"), ("((", "))")]
            .into_iter()
            .filter_map(|(open, close)| Some((rest.split_once(open)?, close)))
            .min_by_key(|((before, _), _)| before.len());
        let Some(((before, after), close)) = next else { break };
        replaced.push_str(before);
        replaced.push(ANY);
        rest = after.split_once(close).map_or("", |(_, after)| after);
    }
    replaced.push_str(rest);
    replaced
}

/// Parses a number of seconds. `None` if it is invalid.
pub(crate) fn seconds(value: Option<&str>, default: Duration) -> Option<Duration> {
    let Some(value) = value else { return Some(default) };
    value.trim().parse().ok().and_then(|value| Duration::try_from_secs_f64(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables() {
        let command = "serve --fd $(circus.sockets.web) --id ((circus.wid))!";
        assert_eq!(without_variables(command), format!("serve --fd {ANY} --id {ANY}!"));
        assert_eq!(without_variables("serve $(open"), format!("serve {ANY}"));
    }

    #[test]
    fn numbers_of_seconds() {
        let default = Duration::from_secs(5);
        assert_eq!(seconds(None, default), Some(default));
        assert_eq!(seconds(Some(" 0.5 "), default), Some(Duration::from_millis(500)));
        assert_eq!(seconds(Some("-1"), default), None);
        assert_eq!(seconds(Some("soon"), default), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_parsed(text: String) {
            without_variables(&text);
            seconds(Some(&text), Duration::ZERO);
        }
    }
}
