//! The title that pm2 gives its daemon. Pure: compiled and tested on every system.

use crate::model::Text;

/// Returns the folder of the daemon from its title: `PM2 v5.3.0: God Daemon (/home/dev/.pm2)`.
pub(crate) fn home_in_title(title: &[u8]) -> Option<Text> {
    let open = title.iter().position(|byte| *byte == b'(')?;
    let close = title.iter().rposition(|byte| *byte == b')')?;
    Some(title.get(open + 1..close)?).filter(|home| home.starts_with(b"/")).map(Text::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles() {
        let home = home_in_title(b"PM2 v5.3.0: God Daemon (/home/dev/.pm2)");
        assert_eq!(home, Some(Text::from("/home/dev/.pm2")));
        for other in [&b"PM2 v5.3.0"[..], b"PM2 (relative)", b")(", b"()", b""] {
            assert_eq!(home_in_title(other), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_parsed(bytes: Vec<u8>) {
            home_in_title(&bytes);
        }
    }
}
