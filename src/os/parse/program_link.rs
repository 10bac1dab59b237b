//! The link /proc/PID/exe of Linux (proc_pid_exe(5)). Pure: compiled and tested on every system.

/// Returns the path of a program whose name was removed or given to another file, without the suffix that the kernel adds.
/// `None` if there is no such suffix. A file may have it in its name too.
pub(crate) fn deleted_path(link: &[u8]) -> Option<&[u8]> {
    link.strip_suffix(b" (deleted)")
}

/// Returns whether the file exists only in memory and never had a name (memfd_create(2)).
#[cfg_attr(not(any(target_os = "linux", test)), expect(dead_code, reason = "Linux alone has such files"))]
pub(in crate::os) fn is_memory_file(link: &[u8]) -> bool {
    link.starts_with(b"/memfd:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links() {
        assert_eq!(deleted_path(b"/usr/bin/web (deleted)"), Some(&b"/usr/bin/web"[..]));
        assert_eq!(deleted_path(b"/usr/bin/web"), None);
        assert!(is_memory_file(b"/memfd:web (deleted)") && !is_memory_file(b"/usr/memfd:web"));
    }
}
