//! The socket table of Windows: the tables of the IP helper, which name the pids of all users to everybody.

use super::netstat2;
use crate::model::{Error, ErrorKind, Gap, GapDetail, GapKind, GapReason, UnlistedBound};
use crate::os::parse::windows::table;
use crate::os::process::process_ref;
use crate::os::{Reader, Request, Row, SocketTable};

/// The socket table.
pub(in crate::os) fn sockets(request: &Request) -> Result<SocketTable, Error> {
    if request.namespaces {
        return Err(Error::new(ErrorKind::Unsupported, "Windows has no network namespaces"));
    }
    if request.unix {
        return Err(Error::new(ErrorKind::Unsupported, "Unix sockets are not listed on Windows"));
    }
    let mut whole = match request.reader {
        Reader::Netstat2 => netstat2::collect(request, |table| netstat2::read(table, request.all))?,
        Reader::Auto | Reader::Native => netstat2::collect(request, |table| read(table, request.all))?,
    };
    process_ref::merge(&mut whole.rows);
    if request.all && request.tcp {
        let detail = GapDetail::BoundSockets(UnlistedBound::IpHelper);
        whole.gaps.push(Gap::new(GapKind::Sockets, GapReason::Bound, 1, detail, None));
        whole.lacks_bound = true;
    }
    if request.udp {
        let detail = GapDetail::UdpState;
        whole.gaps.push(Gap::new(GapKind::State, GapReason::Unsupported, 1, detail, None));
    }
    Ok(whole)
}

/// One table.
fn read(table: netstat2::Table, all: bool) -> Result<Vec<Row>, Error> {
    let attempted = || Error::new(ErrorKind::SocketTable, format!("cannot read {}", table.phrase()));
    let (bytes, layout) =
        crate::os::windows_api::table(table, all).map_err(|error| attempted().because(error))?;
    let records = table::records(&bytes, layout)
        .ok_or_else(|| attempted().because(std::io::Error::other("it is shorter than it says")))?;
    let row = |record: table::Record| {
        let pids: Vec<u32> = (record.pid != 0).then_some(record.pid).into_iter().collect();
        let opened = pids.iter().copied().zip(record.opened).collect();
        Row { socket: record.socket, pids, opened }
    };
    Ok(records.into_iter().map(row).collect())
}
