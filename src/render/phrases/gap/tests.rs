use super::*;
use crate::model::{GapKind, GapReason};

fn said(count: usize, detail: GapDetail) -> String {
    Gap::new(GapKind::Descriptors, GapReason::Error, count, detail, None).to_string()
}

#[test]
fn one_and_many() {
    assert_eq!(said(1, GapDetail::Descriptors(None)), "the descriptors of one process");
    assert_eq!(said(3, GapDetail::Descriptors(Some("no".into()))), "the descriptors of 3 processes: no");
    assert_eq!(GapDetail::Descriptors(Some("no".into())).to_string(), "the descriptors of one process: no");
    let folders = vec!["/run/netns".into(), "/run/a".into()];
    assert_eq!(
        said(3, GapDetail::ClosedNamespaces { processes: 1, folders: folders.clone() }),
        "the network namespace of one process and the network namespaces in /run/netns and the network namespaces \
         in /run/a"
    );
    assert_eq!(
        said(2, GapDetail::ClosedNamespaces { processes: 0, folders }),
        "the network namespaces in /run/netns and the network namespaces in /run/a"
    );
}
