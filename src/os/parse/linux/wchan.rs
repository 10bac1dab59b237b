//! /proc/PID/task/TID/wchan (proc_pid_wchan(5)): the kernel function in which a thread sleeps. Pure.

use crate::model::WaitingCall;

/// Returns the call on an internet or Unix socket that sleeps in this function and in no other call.
pub(in crate::os) fn call(function: &[u8]) -> Option<WaitingCall> {
    match function {
        name if name.starts_with(b"inet_csk_accept") => Some(WaitingCall::Accept),
        name if name.starts_with(b"__skb_wait_for_more_packets") => Some(WaitingCall::Receive),
        _ => None,
    }
}

/// Returns whether accept(2) may sleep in this function.
pub(in crate::os) fn may_accept(function: &[u8]) -> bool {
    function.starts_with(b"inet_csk_") || waits_on_socket(function)
}

/// Returns whether a kernel function waits for a socket to receive, or for room to send.
pub(in crate::os) fn waits_on_socket(function: &[u8]) -> bool {
    // Terminals sleep in wait_woken too.
    const SOCKETS: [&[u8]; 7] = [b"__skb_", b"skb_", b"sk_", b"wait_woken", b"unix_", b"tcp_", b"inet_"];
    SOCKETS.iter().any(|name| function.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_sockets() {
        assert_eq!(call(b"inet_csk_accept"), Some(WaitingCall::Accept));
        assert_eq!(call(b"__skb_wait_for_more_packets"), Some(WaitingCall::Receive));
        assert_eq!(call(b"unix_stream_read_generic"), None);
        assert!(may_accept(b"inet_csk_accept") && may_accept(b"__skb_wait_for_more_packets"));
        assert!(waits_on_socket(b"sk_stream_wait_memory") && !waits_on_socket(b"inet"));
        for other in [&b"futex_wait_queue"[..], b"do_sys_poll", b"pipe_read", b""] {
            assert!(call(other).is_none() && !may_accept(other), "{}", other.escape_ascii());
        }
    }
}
