//! `struct proc_bsdinfo` and `struct proc_bsdshortinfo` of libproc (sys/proc_info.h).

/// The offset of `pbi_start_tvsec`.
pub(in crate::os) const START_SECONDS: usize = 120;
/// The offset of `pbi_start_tvusec`.
pub(in crate::os) const START_MICROSECONDS: usize = 128;
/// The offset of `pbsi_comm`.
pub(in crate::os) const SHORT_NAME: usize = 16;

/// Returns the start of a process: seconds and microseconds since 1970.
pub(in crate::os) fn start(info: &[u8]) -> Option<(u64, u64)> {
    let number = |at: usize| Some(u64::from_le_bytes(*info.get(at..)?.first_chunk()?));
    Some((number(START_SECONDS)?, number(START_MICROSECONDS)?))
}

/// Returns the name of a process, at most 16 bytes.
pub(in crate::os) fn short_name(info: &[u8]) -> Option<Vec<u8>> {
    let name = info.get(SHORT_NAME..)?.first_chunk::<16>()?;
    Some(name.iter().copied().take_while(|byte| *byte != 0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_and_names() {
        let mut info = [0; 136];
        info[START_SECONDS] = 7;
        info[START_MICROSECONDS] = 9;
        assert_eq!(start(&info), Some((7, 9)));
        assert_eq!(start(&info[..135]), None);
        let mut short = [0; 64];
        short[SHORT_NAME..][..3].copy_from_slice(b"web");
        assert_eq!(short_name(&short), Some(b"web".to_vec()));
        assert_eq!(short_name(&short[..20]), None);
    }
}
