//! Sockets that the kernel opens itself: no process has them.

use super::super::state::HolderSearchState;
use crate::model::Error;
use crate::os::Row;

/// Finds the missing sockets that the kernel has opened itself, here and in other network namespaces.
pub(in crate::os) fn search(state: &mut HolderSearchState<'_>) -> Result<(), Error> {
    if let Some(reports) = &mut state.reports {
        state.visibility.claims = std::mem::take(&mut reports.claims);
    }
    let missing: Vec<&Row> = state.missing_rows().collect();
    state.visibility.read_other_namespaces(missing.into_iter(), state.request);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::super::claims::KernelSocketReports;
    use super::super::super::state::KernelReports;
    use super::super::super::state::test_rows::row;
    use super::*;
    use crate::model::{KernelSocketKind, Protocol};
    use crate::os::HolderSearch;
    use crate::os::parse::linux::kernel_sockets::{Bound, KernelSocketReport, Strength, kernel_socket};

    #[test]
    fn a_missing_socket_that_the_kernel_reports_is_the_kernels() {
        let row = row(2049, u64::MAX);
        let claim = KernelSocketReport {
            protocol: Protocol::Tcp,
            port: Some(2049),
            family: None,
            bound: Bound::Address(Ipv4Addr::LOCALHOST.into()),
            strength: Strength::Reported,
            kernel: kernel_socket(KernelSocketKind::Nfsd),
        };
        let rows = [&row];
        let mut searched = HolderSearchState::new(&rows, HolderSearch::Walk);
        searched.reports = Some(KernelReports { pending: vec![7], claims: KernelSocketReports(vec![claim]) });
        search(&mut searched).unwrap();
        assert!(searched.visibility.is_kernel_socket(&row.socket));
        assert_eq!(
            searched.reports.map(|reports| reports.pending),
            Some(vec![7]),
            "a later phase needs them"
        );
    }
}
