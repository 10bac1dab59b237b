//! Properties of every plan.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Any process, including those that a plan must never end.
fn any_process(pid: u32) -> impl Strategy<Value = Process> {
    let mut every: Vec<Process> = of_each_role();
    every.extend([
        node(50),
        process(50, &["sh", "-c", "x"]),
        process(50, &["npm run dev"]),
        process(50, &["-bash"]),
        process(50, &["gunicorn: master [app]"]),
    ]);
    select(every).prop_map(move |mut process| {
        process.id = id(pid);
        process
    })
}

prop_compose! {
    /// Processes 1 to 9 of any kind, each the child of an earlier one. Some hold sockets, some are ancestors of allears.
    fn any_machine()(
        processes in (1_u32..10).map(any_process).collect::<Vec<_>>(),
        parents in proptest::collection::vec(0_u32..9, 9),
        groups in proptest::collection::vec(1_u32..4, 9),
        holders in proptest::collection::vec(proptest::collection::vec(0_usize..9, 0..3), 1..3),
        evidence in select(vec![Evidence::Descriptor, Evidence::Table, Evidence::Cgroup]),
        own in 1_u32..10,
        access in proptest::collection::vec(select(vec![
            Access::Allowed, Access::Allowed, Access::Ended, Access::Denied, Access::Kernel,
            Access::Failed("x".to_owned()),
        ]), 9),
        own_pid_namespace in proptest::bool::weighted(0.9),
    ) -> PlanFacts {
        let mut facts = PlanFacts::new([]);
        facts.entries.clear();
        for (at, process) in processes.iter().enumerate() {
            let pid = process.id.pid;
            let parent = parents[at].min(pid - 1);
            facts.entries.push(entry(pid, parent, groups[at], 1));
            facts.known.insert(pid, process.clone());
            facts.access.insert(process.id, access[at].clone());
        }
        facts.sockets = holders
            .iter()
            .map(|of| {
                let mut listener = listener(Protocol::Tcp, of.iter().map(|at| processes[*at].clone()));
                listener.holders.iter_mut().for_each(|holder| holder.evidence = evidence);
                listener
            })
            .collect();
        let table: ProcessTable = facts.entries.iter().cloned().collect();
        facts.lineage =
            std::iter::once(own).chain(table.ancestors(own).iter().map(|entry| entry.id.pid)).collect();
        facts.own_pid_namespace = own_pid_namespace;
        facts
    }
}

proptest! {
    #[test]
    fn a_plan_with_a_protected_process_has_a_refusal(facts in any_machine(), tree: bool) {
        let plan = facts.plan(Via::Signal, tree);
        for step in &plan.steps {
            let process = &step.process;
            let is_protected = process.id.pid == 1
                || role(process).is_some()
                || facts.lineage.contains(&process.id.pid)
                || !matches!(facts.access.get(&process.id), Some(Access::Allowed | Access::Ended))
                || !facts.own_pid_namespace;
            prop_assert!(!is_protected || !plan.refusals.is_empty(), "{process:?}");
        }
        let mut all = pids(&plan);
        all.sort_unstable();
        all.dedup();
        prop_assert_eq!(all.len(), plan.steps.len(), "each process once");
        // Without a refusal, every holder is in the plan or is a wineserver.
        for holder in facts.sockets.iter().flat_map(|listener| &listener.holders) {
            let beside = role(&holder.process) == Some(Role::Wineserver);
            prop_assert!(!plan.refusals.is_empty() || beside || all.contains(&holder.process.id.pid));
        }
        let wrappers = plan.steps.iter().rposition(|step| step.reason == StepReason::Wrapper);
        let holder = plan.steps.iter().position(|step| matches!(step.reason, StepReason::Holder(_)));
        prop_assert!(wrappers.is_none() || holder.is_none() || wrappers < holder, "wrappers first");
    }

    #[test]
    fn manager_commands_replace_signals(facts in any_machine()) {
        for via in [Via::Container, Via::Service, Via::Supervisor] {
            let plan = facts.plan(via, false);
            prop_assert!(plan.steps.iter().all(|step| !matches!(step.action, Action::Signal(_))), "no signal is sent");
            prop_assert!(!plan.steps.is_empty() || !plan.refusals.is_empty(), "a socket has a step or a refusal");
        }
    }
}
