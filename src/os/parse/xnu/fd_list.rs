//! Parses the list of a process's descriptors (`PROC_PIDLISTFDS`, struct proc_fdinfo). Pure.

/// The type of the descriptor of a socket (PROX_FDTYPE_SOCKET).
const SOCKET: i32 = 2;

/// Returns the number of a descriptor if it is a socket: a number, and a type.
pub(in crate::os) fn socket_number(info: &[u8]) -> Option<i32> {
    let number = info.first_chunk().copied().map(i32::from_ne_bytes)?;
    let kind = info.last_chunk().copied().map(i32::from_ne_bytes)?;
    (kind == SOCKET).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sockets_among_descriptors() {
        let info = |number: i32, kind: i32| [number.to_ne_bytes(), kind.to_ne_bytes()].concat();
        assert_eq!(socket_number(&info(7, 2)), Some(7));
        assert_eq!(socket_number(&info(7, 1)), None, "a file");
        assert_eq!(socket_number(b""), None);
    }

    proptest! {
        #[test]
        fn any_bytes(info: Vec<u8>) {
            let _ = socket_number(&info);
        }
    }
}
