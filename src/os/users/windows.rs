//! User names on Windows, where users are SIDs and have no numbers. sysinfo's list of users is not used: it aborts the
//! program if there are no logon sessions.

use std::ptr;

use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::ConvertStringSidToSidW;
use windows_sys::Win32::Security::{
    GetTokenInformation, LookupAccountNameW, LookupAccountSidW, PSID, TOKEN_ELEVATION, TOKEN_QUERY,
    TokenElevation,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use crate::model::Text;

/// The longest name of a user (UNLEN of lmcons.h), with its domain's.
const LONGEST_NAME: usize = 512;

/// Returns nothing: users have no numbers here.
pub(in crate::os) fn name(_uid: u32) -> Option<Text> {
    None
}

/// Returns nothing: users have no numbers here.
#[cfg(feature = "cli")]
pub(crate) fn local_users() -> Vec<(String, u32)> {
    Vec::new()
}

/// Returns whether this machine or its domain knows a user of that name (LookupAccountNameW).
pub(in crate::os) fn exists(name: &str) -> bool {
    let name = wide(name);
    let mut sid = [0_u8; 256];
    let mut sid_length = 256;
    let mut domain = [0_u16; LONGEST_NAME];
    let mut domain_length = LONGEST_NAME as u32;
    let mut kind = 0;
    #[expect(unsafe_code, reason = "the system's own interface")]
    // SAFETY: the name ends in NUL; both buffers are as long as the lengths that are passed with them.
    let found = unsafe {
        LookupAccountNameW(
            ptr::null(),
            name.as_ptr(),
            sid.as_mut_ptr().cast(),
            &raw mut sid_length,
            domain.as_mut_ptr(),
            &raw mut domain_length,
            &raw mut kind,
        )
    };
    found != 0
}

/// Returns nothing: users have no numbers here.
pub(in crate::os) fn own() -> Option<u32> {
    None
}

/// Returns nothing: users have no numbers here.
pub(in crate::os) fn first_person() -> Option<u32> {
    None
}

/// Returns the name of the user with a SID such as `S-1-5-18` (LookupAccountSidW).
pub(in crate::os) fn name_of_sid(sid: &str) -> Option<Text> {
    let sid = wide(sid);
    let mut binary: PSID = ptr::null_mut();
    let mut name = [0_u16; LONGEST_NAME];
    let mut domain = [0_u16; LONGEST_NAME];
    let (mut name_length, mut domain_length) = (LONGEST_NAME as u32, LONGEST_NAME as u32);
    let mut kind = 0;
    #[expect(unsafe_code, reason = "the system's own interface")]
    // SAFETY: the text ends in NUL; `binary` is used only if it was set, and freed once with the function that its
    // documentation names; the buffers are as long as the lengths that are passed with them.
    let found = unsafe {
        if ConvertStringSidToSidW(sid.as_ptr(), &raw mut binary) == 0 {
            return None;
        }
        let found = LookupAccountSidW(
            ptr::null(),
            binary,
            name.as_mut_ptr(),
            &raw mut name_length,
            domain.as_mut_ptr(),
            &raw mut domain_length,
            &raw mut kind,
        );
        LocalFree(binary.cast());
        found
    };
    let name =
        name.get(..usize::try_from(name_length).ok()?).filter(|name| found != 0 && !name.is_empty())?;
    let name: std::ffi::OsString = std::os::windows::ffi::OsStringExt::from_wide(name);
    Some(Text::from(name.as_os_str()))
}

/// Returns nothing: an elevated shell finds the program by its name.
#[cfg(feature = "cli")]
pub(crate) fn path_for_sudo() -> Option<Text> {
    None
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// Returns whether this process is elevated (TokenElevation).
pub(in crate::os) fn privileged() -> bool {
    let mut token: HANDLE = ptr::null_mut();
    let mut elevation = TOKEN_ELEVATION { TokenIsElevated: 0 };
    let size = u32::try_from(size_of::<TOKEN_ELEVATION>()).unwrap_or(0);
    let mut written = 0;
    #[expect(unsafe_code, reason = "the system's own interface")]
    // SAFETY: the pseudo handle needs no closing; `token` is written before it is used and closed once; the buffer
    // is a TOKEN_ELEVATION of the size that is passed with it.
    unsafe {
        if OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) == 0 {
            return false;
        }
        let known =
            GetTokenInformation(token, TokenElevation, (&raw mut elevation).cast(), size, &raw mut written);
        CloseHandle(token);
        known != 0 && elevation.TokenIsElevated != 0
    }
}
