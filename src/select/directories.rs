//! The filter by directory. Pure.

use crate::model::{Process, Selection, Text};

impl Selection {
    /// Returns whether the working directory of a process is in one of the folders, and so its project's. `None` if it
    /// is unknown. A working directory in a container is a path of the container, unless its project was found here.
    pub(super) fn runs_inside(&self, process: &Process) -> Option<bool> {
        let is_inside = |path: &Text| self.directories.iter().any(|folder| is_within(path, folder));
        if process.project.as_ref().is_some_and(|project| is_inside(&project.directory)) {
            return Some(true);
        }
        match &process.directory {
            _ if process.container.is_some() && process.project.is_none() => Some(false),
            Some(directory) => Some(is_inside(directory)),
            None => None,
        }
    }
}

/// Returns whether an absolute path is a folder or below it. A folder that begins with `/` has the separators of Unix;
/// another one those of Windows, where case is ignored.
pub(super) fn is_within(path: &Text, folder: &Text) -> bool {
    let is_unix = folder.as_bytes().starts_with(b"/");
    let is_separator = |byte: &u8| *byte == b'/' || (!is_unix && *byte == b'\\');
    let (path, mut folder) = (path.as_bytes(), folder.as_bytes());
    while let [rest @ .., last] = folder
        && is_separator(last)
    {
        folder = rest;
    }
    let Some((start, rest)) = path.split_at_checked(folder.len()) else { return false };
    let equal = match is_unix {
        true => start == folder,
        false => start.eq_ignore_ascii_case(folder),
    };
    equal && rest.first().is_none_or(is_separator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::management::test_support::container;
    use crate::model::{ProcessId, Project};

    #[test]
    fn folders_contain_whole_names() {
        for (path, folder, inside) in [
            ("/srv/shop", "/srv/shop", true),
            ("/srv/shop/web", "/srv/shop", true),
            ("/srv/shop/web", "/srv/shop/", true),
            ("/srv/shop-2", "/srv/shop", false),
            ("/srv", "/srv/shop", false),
            ("/srv/Shop", "/srv/shop", false),
            ("/srv/shop\\web", "/srv/shop", false),
            ("/anything", "/", true),
            ("/", "/", true),
            (r"C:\src\shop\web", r"c:\Src\shop", true),
            (r"C:\src\shop-2", r"C:\src\shop", false),
            (r"C:\src", r"C:\", true),
            (r"D:\src", r"C:\", false),
        ] {
            assert_eq!(is_within(&path.into(), &folder.into()), inside, "{path} {folder}");
        }
    }

    #[test]
    fn a_path_of_a_container_is_not_one_of_this_machine() {
        let selection = Selection { directories: vec!["/app".into()], ..Selection::default() };
        let mut process = Process::new(ProcessId { pid: 7, start: None }, "node".into());
        assert_eq!(selection.runs_inside(&process), None);
        process.directory = Some("/app/web".into());
        assert_eq!(selection.runs_inside(&process), Some(true));
        process.container = Some(container("docker", "web"));
        assert_eq!(selection.runs_inside(&process), Some(false));
        process.project =
            Some(Project { directory: "/app".into(), marker: ".git".into(), head: None, worktree: None });
        assert_eq!(selection.runs_inside(&process), Some(true));
    }
}
