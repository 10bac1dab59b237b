//! Files are opened directly here.

/// Opens a file for reading.
pub(in crate::os) fn open_file(path: &std::path::Path) -> std::io::Result<Box<dyn std::io::Read>> {
    Ok(Box::new(std::fs::File::open(path)?))
}
