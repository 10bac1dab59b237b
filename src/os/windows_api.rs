//! Calls of Windows that report sockets, processes and services. Each fills a buffer or returns numbers, which
//! `parse::windows` reads.

use std::collections::BTreeMap;
use std::io;
use std::mem::offset_of;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{
    ERROR_INVALID_PARAMETER, ERROR_MORE_DATA, FILETIME, INVALID_HANDLE_VALUE, STILL_ACTIVE,
};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GetExtendedTcpTable, GetExtendedUdpTable, MIB_TCP6ROW_OWNER_MODULE, MIB_TCPROW_OWNER_MODULE,
    MIB_UDP6ROW_OWNER_MODULE, MIB_UDPROW_OWNER_MODULE, TCP_TABLE_OWNER_MODULE_ALL,
    TCP_TABLE_OWNER_MODULE_LISTENER, UDP_TABLE_OWNER_MODULE,
};
use windows_sys::Win32::Networking::WinSock::{AF_INET, AF_INET6};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::Services::{
    CloseServiceHandle, ENUM_SERVICE_STATUS_PROCESSW, EnumServicesStatusExW, OpenSCManagerW,
    SC_ENUM_PROCESS_INFO, SC_MANAGER_ENUMERATE_SERVICE, SERVICE_ACTIVE, SERVICE_STATUS_PROCESS,
    SERVICE_WIN32,
};
use windows_sys::Win32::System::Threading::{
    GetExitCodeProcess, GetProcessTimes, OpenProcess, PROCESS_ACCESS_RIGHTS,
    PROCESS_QUERY_LIMITED_INFORMATION,
};

use crate::model::{Family, Protocol, Text};
use crate::os::parse::windows::process_times::{Lifetime, ProcessRow};
use crate::os::parse::windows::services;
use crate::os::parse::windows::table;
use crate::os::parse::windows::table::{Layout, TCP4, TCP6, TableRefusal, UDP4, UDP6};
use crate::os::table_request::InetTable;

// The parsers' offsets match those in the headers.
const _: () = {
    assert!(size_of::<MIB_TCPROW_OWNER_MODULE>() == TCP4.row);
    assert!(offset_of!(MIB_TCPROW_OWNER_MODULE, dwLocalAddr) == TCP4.local);
    assert!(offset_of!(MIB_TCPROW_OWNER_MODULE, dwLocalPort) == TCP4.local_port);
    assert!(offset_of!(MIB_TCPROW_OWNER_MODULE, dwState) == TCP4.state);
    assert!(offset_of!(MIB_TCPROW_OWNER_MODULE, dwRemoteAddr) == TCP4.remote);
    assert!(offset_of!(MIB_TCPROW_OWNER_MODULE, dwRemotePort) == TCP4.remote_port);
    assert!(offset_of!(MIB_TCPROW_OWNER_MODULE, dwOwningPid) == TCP4.pid);
    assert!(offset_of!(MIB_TCPROW_OWNER_MODULE, liCreateTimestamp) == TCP4.opened);
    assert!(size_of::<MIB_TCP6ROW_OWNER_MODULE>() == TCP6.row);
    assert!(offset_of!(MIB_TCP6ROW_OWNER_MODULE, ucLocalAddr) == TCP6.local);
    assert!(offset_of!(MIB_TCP6ROW_OWNER_MODULE, dwLocalScopeId) == TCP6.local + 16);
    assert!(offset_of!(MIB_TCP6ROW_OWNER_MODULE, dwLocalPort) == TCP6.local_port);
    assert!(offset_of!(MIB_TCP6ROW_OWNER_MODULE, dwState) == TCP6.state);
    assert!(offset_of!(MIB_TCP6ROW_OWNER_MODULE, ucRemoteAddr) == TCP6.remote);
    assert!(offset_of!(MIB_TCP6ROW_OWNER_MODULE, dwRemoteScopeId) == TCP6.remote + 16);
    assert!(offset_of!(MIB_TCP6ROW_OWNER_MODULE, dwRemotePort) == TCP6.remote_port);
    assert!(offset_of!(MIB_TCP6ROW_OWNER_MODULE, dwOwningPid) == TCP6.pid);
    assert!(offset_of!(MIB_TCP6ROW_OWNER_MODULE, liCreateTimestamp) == TCP6.opened);
    assert!(size_of::<MIB_UDPROW_OWNER_MODULE>() == UDP4.row);
    assert!(offset_of!(MIB_UDPROW_OWNER_MODULE, dwLocalAddr) == UDP4.local);
    assert!(offset_of!(MIB_UDPROW_OWNER_MODULE, dwLocalPort) == UDP4.local_port);
    assert!(offset_of!(MIB_UDPROW_OWNER_MODULE, dwOwningPid) == UDP4.pid);
    assert!(offset_of!(MIB_UDPROW_OWNER_MODULE, liCreateTimestamp) == UDP4.opened);
    assert!(size_of::<MIB_UDP6ROW_OWNER_MODULE>() == UDP6.row);
    assert!(offset_of!(MIB_UDP6ROW_OWNER_MODULE, ucLocalAddr) == UDP6.local);
    assert!(offset_of!(MIB_UDP6ROW_OWNER_MODULE, dwLocalScopeId) == UDP6.local + 16);
    assert!(offset_of!(MIB_UDP6ROW_OWNER_MODULE, dwLocalPort) == UDP6.local_port);
    assert!(offset_of!(MIB_UDP6ROW_OWNER_MODULE, dwOwningPid) == UDP6.pid);
    assert!(offset_of!(MIB_UDP6ROW_OWNER_MODULE, liCreateTimestamp) == UDP6.opened);
    assert!(size_of::<ENUM_SERVICE_STATUS_PROCESSW>() == services::ROW);
    assert!(
        offset_of!(ENUM_SERVICE_STATUS_PROCESSW, ServiceStatusProcess)
            + offset_of!(SERVICE_STATUS_PROCESS, dwProcessId)
            == services::PID
    );
};

/// Returns a table's bytes and their layout. They include connections if all sockets are wanted.
pub(in crate::os) fn table(table: InetTable, all: bool) -> Result<(Vec<u8>, Layout), io::Error> {
    let (family, layout) = match (table.protocol, table.family) {
        (Protocol::Tcp, Family::Ipv4) => (AF_INET, TCP4),
        (Protocol::Tcp, _) => (AF_INET6, TCP6),
        (_, Family::Ipv4) => (AF_INET, UDP4),
        (_, _) => (AF_INET6, UDP6),
    };
    let family = u32::from(family);
    let class = if all { TCP_TABLE_OWNER_MODULE_ALL } else { TCP_TABLE_OWNER_MODULE_LISTENER };
    let bytes = table::whole(|buffer, size| {
        let room = if buffer.is_empty() { ptr::null_mut() } else { buffer.as_mut_ptr().cast() };
        #[expect(unsafe_code, reason = "the system's own interface")]
        // SAFETY: the buffer has as many bytes as `size` says, aligned for what is written to it; without one the call
        // gives the size alone.
        unsafe {
            match table.protocol {
                Protocol::Tcp => GetExtendedTcpTable(room, size, 0, family, class, 0),
                _ => GetExtendedUdpTable(room, size, 0, family, UDP_TABLE_OWNER_MODULE, 0),
            }
        }
    });
    match bytes {
        Ok(bytes) => Ok((bytes, layout)),
        Err(TableRefusal::Grows) => Err(io::Error::other("it grew at each attempt")),
        Err(TableRefusal::Error(code)) => Err(io::Error::from_raw_os_error(code.cast_signed())),
    }
}

/// Opens a process with these rights. `None` if there is no such process.
pub(in crate::os) fn open(pid: u32, rights: PROCESS_ACCESS_RIGHTS) -> io::Result<Option<OwnedHandle>> {
    #[expect(unsafe_code, reason = "the system's own interface")]
    // SAFETY: only numbers are passed; the handle that is returned is owned once, by the value made from it here.
    unsafe {
        let handle = OpenProcess(rights, 0, pid);
        if !handle.is_null() {
            return Ok(Some(OwnedHandle::from_raw_handle(handle)));
        }
    }
    let error = io::Error::last_os_error();
    let gone = error.raw_os_error() == i32::try_from(ERROR_INVALID_PARAMETER).ok();
    if gone { Ok(None) } else { Err(error) }
}

/// Returns what is known about the process with a pid.
pub(in crate::os) fn lifetime(pid: u32) -> Lifetime {
    match open(pid, PROCESS_QUERY_LIMITED_INFORMATION) {
        Ok(Some(process)) => lifetime_of(&process),
        Ok(None) => Lifetime::Ended,
        Err(_) => Lifetime::Unknown,
    }
}

/// Returns what is known about an open process (`GetProcessTimes`, which needs only the right to query it).
pub(in crate::os) fn lifetime_of(process: &OwnedHandle) -> Lifetime {
    let none = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    let (mut start, mut exit, mut kernel, mut user) = (none, none, none, none);
    let mut code = 0;
    let handle = process.as_raw_handle();
    #[expect(unsafe_code, reason = "the system's own interface")]
    // SAFETY: the handle is open; the calls write to variables of their types.
    let known = unsafe {
        // A process that has ended remains as long as a handle to it is open.
        if GetExitCodeProcess(handle, &raw mut code) != 0 && code != STILL_ACTIVE.cast_unsigned() {
            return Lifetime::Ended;
        }
        GetProcessTimes(handle, &raw mut start, &raw mut exit, &raw mut kernel, &raw mut user)
    };
    match known {
        0 => Lifetime::Unknown,
        _ => Lifetime::Since(u64::from(start.dwHighDateTime) << 32 | u64::from(start.dwLowDateTime)),
    }
}

/// Returns every process with its parent's pid and its name, which every user may read.
pub(in crate::os) fn processes() -> Vec<ProcessRow> {
    let mut listed = Vec::new();
    let size = u32::try_from(size_of::<PROCESSENTRY32W>()).unwrap_or(0);
    let mut entry = PROCESSENTRY32W { dwSize: size, ..PROCESSENTRY32W::default() };
    #[expect(unsafe_code, reason = "the system's own interface")]
    // SAFETY: a valid handle is owned once; the entry has its own size.
    unsafe {
        let handle = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
        if handle == INVALID_HANDLE_VALUE {
            return listed;
        }
        let list = OwnedHandle::from_raw_handle(handle);
        let mut more = Process32FirstW(list.as_raw_handle(), &raw mut entry);
        while more != 0 {
            let name = entry.szExeFile.iter().copied().take_while(|unit| *unit != 0).collect::<Vec<u16>>();
            listed.push(ProcessRow {
                pid: entry.th32ProcessID,
                parent: entry.th32ParentProcessID,
                name: services::text(&name),
            });
            more = Process32NextW(list.as_raw_handle(), &raw mut entry);
        }
    }
    listed
}

/// Returns the running services by pid, by one request to their manager, which every user may make.
pub(in crate::os) fn services() -> Result<BTreeMap<u32, Vec<Text>>, io::Error> {
    struct ServiceManagerHandle(windows_sys::Win32::System::Services::SC_HANDLE);
    impl Drop for ServiceManagerHandle {
        fn drop(&mut self) {
            #[expect(unsafe_code, reason = "the system's own interface")]
            // SAFETY: the handle was opened, and is closed only here.
            unsafe {
                CloseServiceHandle(self.0);
            }
        }
    }
    #[expect(unsafe_code, reason = "the system's own interface")]
    // SAFETY: null means this machine and its active database.
    let manager = unsafe { OpenSCManagerW(ptr::null(), ptr::null(), SC_MANAGER_ENUMERATE_SERVICE) };
    if manager.is_null() {
        return Err(io::Error::last_os_error());
    }
    let manager = ServiceManagerHandle(manager);
    // The most that the call returns at once; each call starts from the beginning, so that no service is returned
    // twice.
    let mut buffer: Vec<u64> = vec![0; 4096];
    for _ in 0..8 {
        let (mut needed, mut count, mut resume) = (0, 0, 0);
        let size = u32::try_from(buffer.len().saturating_mul(8)).unwrap_or(u32::MAX);
        #[expect(unsafe_code, reason = "the system's own interface")]
        // SAFETY: the buffer has as many bytes as `size` says, aligned for pointers; the others are variables.
        let given = unsafe {
            EnumServicesStatusExW(
                manager.0,
                SC_ENUM_PROCESS_INFO,
                SERVICE_WIN32,
                SERVICE_ACTIVE,
                buffer.as_mut_ptr().cast(),
                size,
                &raw mut needed,
                &raw mut count,
                &raw mut resume,
                ptr::null(),
            )
        };
        if given != 0 {
            let begins = buffer.as_ptr().addr();
            let bytes: Vec<u8> = buffer.iter().flat_map(|word| word.to_ne_bytes()).collect();
            return Ok(services::by_pid(&bytes, begins, usize::try_from(count).unwrap_or(0)));
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != i32::try_from(ERROR_MORE_DATA).ok() {
            return Err(error);
        }
        buffer.resize(buffer.len() + usize::try_from(needed).unwrap_or(0).div_ceil(8) + 256, 0);
    }
    Err(io::Error::other("their list grew at each attempt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_in_the_list_and_runs() {
        let own = std::process::id();
        let listed = processes();
        let found = listed.iter().filter(|process| process.pid == own).collect::<Vec<_>>();
        let [found] = found.as_slice() else { panic!("not once in {listed:?}") };
        assert!(found.name.to_string_lossy().ends_with(".exe"), "{found:?}");
        // Between 2000 and 2200.
        assert!(matches!(lifetime(own), Lifetime::Since(126_000_000_000_000_000..189_000_000_000_000_000)));
        assert_eq!(lifetime(0xFFFF_FFFC), Lifetime::Ended, "no process has such a pid");
    }

    #[test]
    fn services_have_processes_and_names() {
        let services = services().unwrap();
        let listed = processes();
        for (pid, names) in &services {
            assert!(!names.is_empty() && names.iter().all(|name| !name.is_empty()), "{services:?}");
            assert!(listed.iter().any(|process| process.pid == *pid), "{pid} of {services:?} in {listed:?}");
        }
        assert!(!services.is_empty(), "some service runs always");
    }
}
