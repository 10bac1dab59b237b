//! The user who runs the command, and the paths and processes of that user.

use super::escape::escape;
use super::style::TextRole;
use crate::model::Text;

/// The user who runs the command.
#[derive(Debug, Clone, Default)]
pub(crate) struct CurrentUser {
    /// The home folder, which is written as `~`.
    pub(crate) home: Option<Text>,
    /// The uid.
    pub(crate) uid: Option<u32>,
}

impl CurrentUser {
    /// Returns a path with the home folder as `~`, escaped.
    pub(crate) fn path(&self, path: &Text) -> String {
        let below = self.home.as_ref().filter(|home| home.as_bytes().len() > 1).and_then(|home| {
            let rest = path.as_bytes().strip_prefix(home.as_bytes())?;
            (rest.is_empty() || rest.starts_with(b"/") || rest.starts_with(b"\\")).then_some(rest)
        });
        match below {
            Some(rest) => format!("~{}", escape(&rest.into())),
            None => escape(path),
        }
    }

    /// Returns the text role of something that belongs to `uid`. `None` unless both uids are known.
    pub(crate) fn role_of(&self, uid: Option<u32>) -> Option<TextRole> {
        match (self.uid, uid) {
            (Some(own), Some(uid)) if own == uid => Some(TextRole::Yours),
            (Some(_), Some(_)) => Some(TextRole::Theirs),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_is_shown_as_tilde() {
        let current_user = CurrentUser { home: Some("/home/dev".into()), uid: None };
        assert_eq!(current_user.path(&"/home/dev".into()), "~");
        assert_eq!(current_user.path(&"/home/dev/src".into()), "~/src");
        assert_eq!(current_user.path(&"/home/developer".into()), "/home/developer");
        let mac = CurrentUser { home: Some("/Users/dev".into()), uid: None };
        assert_eq!(mac.path(&"/Users/dev/Library/Group Containers/x".into()), "~/Library/Group Containers/x");
        let root = CurrentUser { home: Some("/".into()), uid: None };
        assert_eq!(root.path(&"/etc".into()), "/etc");
    }
}
