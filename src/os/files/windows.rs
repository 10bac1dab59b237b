//! Files are opened directly here.

pub(in crate::os) use super::direct::Files;

/// Returns nothing: it is not found out on this system.
pub(in crate::os) fn can_make_file(_path: &std::path::Path) -> Option<bool> {
    None
}

/// Opens a file for reading.
pub(in crate::os) fn open_file(path: &std::path::Path) -> std::io::Result<Box<dyn std::io::Read>> {
    Ok(Box::new(std::fs::File::open(path)?))
}

/// Returns the path of the machine's services file.
#[cfg(feature = "cli")]
pub(in crate::os) fn services_path() -> std::path::PathBuf {
    let root = std::env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
    std::path::PathBuf::from(root).join(r"System32\drivers\etc\services")
}
