//! Systems without HTTP.sys, which only Windows has.

use crate::model::Gap;
use crate::os::HttpSysUrls;

/// The pid by which HTTP.sys holds ports: `None`, because only Windows has it.
pub(crate) const HTTP_SYS_PID: Option<u32> = None;

/// Returns nothing: only Windows has HTTP.sys.
pub(in crate::os) fn http_sys_urls(_port: u16) -> (Vec<HttpSysUrls>, Option<Gap>) {
    (Vec::new(), None)
}
