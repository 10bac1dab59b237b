//! Parses the output of `launchctl list`: a line for each job of launchd, with pid, last status and label between tabs.
//! launchctl(1) documents this table, and states that the output of `launchctl print` is not an interface.

use std::collections::BTreeMap;

use crate::model::Text;
use crate::model::compact::CompactCollect as _;

/// Returns the labels of the running jobs by pid. Applications that their user opened have generated labels, which are
/// left out.
pub(in crate::os) fn labels(text: &[u8]) -> BTreeMap<u32, Text> {
    let line = |line: &[u8]| {
        let mut fields = line.splitn(3, |byte| *byte == b'\t');
        let pid = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
        let (_status, label) = (fields.next()?, fields.next()?);
        let made_up = label.is_empty() || label.starts_with(b"application.") || label.starts_with(b"0x");
        (!made_up).then(|| (pid, label.into()))
    };
    text.split(|byte| *byte == b'\n').filter_map(line).collect_map()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn jobs_that_run_have_labels() {
        let listed = b"PID\tStatus\tLabel\n-\t0\tcom.apple.SafariHistoryServiceAgent\n812\t0\tcom.apple.controlcenter\n\
            901\t-9\thomebrew.mxcl.postgresql@16\n77\t0\tapplication.com.docker.docker.1152.1157\n\
            78\t0\t\n79\t0\nnothing\n5\t0\tof its user\twith a tab";
        let labels = labels(listed);
        let of = |pid| labels.get(&pid).map(|label: &Text| label.to_string_lossy().into_owned());
        assert_eq!(of(812).as_deref(), Some("com.apple.controlcenter"));
        assert_eq!(of(901).as_deref(), Some("homebrew.mxcl.postgresql@16"));
        assert_eq!(of(5).as_deref(), Some("of its user\twith a tab"));
        assert_eq!(labels.len(), 3);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let lines = bytes.split(|byte| *byte == b'\n').count();
            prop_assert!(labels(&bytes).len() <= lines);
        }
    }
}
