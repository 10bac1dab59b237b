use super::*;
use crate::os::test_support::eventually;

struct ReachedTargets(Vec<usize>);

impl Observer for ReachedTargets {
    fn reached(&mut self, at: usize, _waited: &Waited) -> ControlFlow<()> {
        self.0.push(at);
        ControlFlow::Continue(())
    }
}

fn run(targets: &[Target], wanted: WaitFor, any: bool) -> (Vec<Waited>, Vec<usize>) {
    let request = WaitRequest {
        wanted,
        http_path: HttpPath::default(),
        any,
        timeout: Some(Duration::from_millis(30)),
        holders: true,
    };
    let mut reached = ReachedTargets(Vec::new());
    let waited = wait(&WaitTarget::each(targets).unwrap(), &request, &mut reached).unwrap();
    (waited, reached.0)
}

#[test]
fn a_listener_is_waited_for_and_its_end_too() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target: Target = listener.local_addr().unwrap().to_string().parse().unwrap();
    let reached = |wanted| run(std::slice::from_ref(&target), wanted, false).0.remove(0).reached;
    assert!(reached(WaitFor::Listening) && reached(WaitFor::Accepts) && !reached(WaitFor::Free));
    drop(listener);
    assert!(eventually(|| reached(WaitFor::Free)));
    assert!(!reached(WaitFor::Listening) && !reached(WaitFor::Accepts));
}

#[test]
fn all_are_waited_for_or_one() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.2:0").unwrap();
    let target = |listener: &std::net::TcpListener| {
        listener.local_addr().unwrap().to_string().parse::<Target>().unwrap()
    };
    let targets = [target(&listener), target(&closed)];
    let (waited, reached) = run(&targets, WaitFor::Listening, false);
    assert_eq!((outcome(&waited, false), reached.len()), (Some(true), 2));
    assert!(waited.iter().all(|one| one.listeners.len() == 1 && one.listeners[0].holders.len() == 1));
    let closed_target = target(&closed);
    drop(closed);
    assert!(eventually(|| run(std::slice::from_ref(&closed_target), WaitFor::Free, false).0[0].reached));
    let (waited, reached) = run(&targets, WaitFor::Listening, false);
    assert_eq!((outcome(&waited, false), reached.len()), (Some(false), 1));
    let (waited, reached) = run(&targets, WaitFor::Listening, true);
    assert_eq!((outcome(&waited, true), reached.len()), (Some(true), 1));
}

#[test]
fn one_that_is_certain_decides() {
    let one = |reached, complete, is_hopeless| Waited { reached, complete, is_hopeless, ..Waited::default() };
    let (yes, no) = (one(true, true, false), one(false, true, false));
    let (unknown, never) = (one(false, false, false), one(false, true, true));
    for (waited, all, any) in [
        (vec![yes.clone(), yes.clone()], Some(true), Some(true)),
        (vec![yes.clone(), no.clone()], Some(false), Some(true)),
        (vec![yes.clone(), unknown.clone()], None, Some(true)),
        (vec![no.clone(), unknown], Some(false), None),
        (vec![no.clone(), no.clone()], Some(false), Some(false)),
        (vec![no, never], None, None),
    ] {
        assert_eq!((outcome(&waited, false), outcome(&waited, true)), (all, any), "{waited:?}");
    }
}
