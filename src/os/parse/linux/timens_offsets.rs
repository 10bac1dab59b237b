//! /proc/PID/timens_offsets (time_namespaces(7)). Pure.

/// Returns whether offsets shift the time since boot. They are lines such as `boottime 3600 0`.
pub(in crate::os) fn shift_boot_time(offsets: &str) -> bool {
    let shifts = |line: &str| line.split_ascii_whitespace().skip(1).any(|number| number != "0");
    offsets.lines().any(|line| line.starts_with("boottime") && shifts(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets() {
        assert!(!shift_boot_time("monotonic           0         0\nboottime            0         0\n"));
        assert!(!shift_boot_time("monotonic        3600         0\nboottime            0         0\n"));
        assert!(shift_boot_time("monotonic           0         0\nboottime         3600         0\n"));
        assert!(!shift_boot_time(""));
    }
}
