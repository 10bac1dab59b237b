//! /sys/kernel/security/lockdown (kernel_lockdown(7)). Pure.

/// Returns whether the mode in brackets forbids to read the kernel's memory: `none integrity [confidentiality]`.
pub(in crate::os) fn forbids_reading(modes: &[u8]) -> bool {
    modes.windows(17).any(|window| window == b"[confidentiality]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_of_lockdown_in_force_is_the_one_in_brackets() {
        assert!(forbids_reading(b"none integrity [confidentiality]\n"));
        assert!(!forbids_reading(b"none [integrity] confidentiality\n"));
        assert!(!forbids_reading(b"[none] integrity confidentiality\n"));
        assert!(!forbids_reading(b""));
    }
}
