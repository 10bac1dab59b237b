//! The user who runs the command: which paths and processes are theirs.

use super::escape::escape;
use super::style::TextRole;
use crate::model::Text;

/// The user who runs the command.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asker {
    /// The home folder, which is written `~`.
    pub(crate) home: Option<Text>,
    /// The user's number.
    pub(crate) uid: Option<u32>,
}

impl Asker {
    /// A path with the home folder as `~`, safe to show.
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

    /// Whether something of this user is the asker's own. Nothing is known without both.
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
    fn home_is_a_tilde() {
        let asker = Asker { home: Some("/home/dev".into()), uid: None };
        assert_eq!(asker.path(&"/home/dev".into()), "~");
        assert_eq!(asker.path(&"/home/dev/src".into()), "~/src");
        assert_eq!(asker.path(&"/home/developer".into()), "/home/developer");
        let mac = Asker { home: Some("/Users/dev".into()), uid: None };
        assert_eq!(mac.path(&"/Users/dev/Library/Group Containers/x".into()), "~/Library/Group Containers/x");
        let root = Asker { home: Some("/".into()), uid: None };
        assert_eq!(root.path(&"/etc".into()), "/etc");
    }
}
