//! Ports in targets: numbers and ranges.

use std::ops::RangeInclusive;

use crate::model::target::{TargetError, no_port_zero};

/// The forms of targets, for the help of errors.
pub(super) const FORMS: &str = "targets are 8080, 8000-8010, tcp/8080, udp/53, http, 127.0.0.1:6379, [::1]:3000, unix or /run/docker.sock";

/// Parses a port, or a range of ports with both of its ends.
pub(super) fn parse_ports(text: &str) -> Result<RangeInclusive<u16>, TargetError> {
    // A text without numbers is quoted whole.
    let is_range = text.contains('-') && !text.contains(|letter: char| letter.is_alphabetic());
    let Some((first, last)) = text.split_once('-').filter(|_| is_range) else {
        return one_port(text);
    };
    if first.is_empty() || last.is_empty() {
        return Err(TargetError::new(text, "is a range that lacks an end", "write 8000-8010"));
    }
    let (first, last) = (parse_port(first)?, parse_port(last)?);
    if first > last {
        return Err(TargetError::new(text, "runs backwards", format!("write {last}-{first}")));
    }
    Ok(first..=last)
}

/// Parses a port as a range of one.
pub(super) fn one_port(text: &str) -> Result<RangeInclusive<u16>, TargetError> {
    parse_port(text).map(|port| port..=port)
}

/// Parses a port.
pub(super) fn parse_port(text: &str) -> Result<u16, TargetError> {
    if text.is_empty() {
        return Err(TargetError::new(text, "is no port: it is empty", FORMS));
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(TargetError::new(text, "is not a port", FORMS));
    }
    match text.parse() {
        Ok(0) => Err(no_port_zero(text)),
        Ok(port) => Ok(port),
        Err(_) => {
            Err(TargetError::new(text, "is beyond the last port, which is 65535", "ports are 1 to 65535"))
        }
    }
}
