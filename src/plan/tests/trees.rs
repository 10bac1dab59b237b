//! Wrappers and their trees.

use super::*;

#[test]
fn a_tree_is_the_wrapper_and_everything_it_started() {
    let plan = in_a_wrapper().tree();
    assert_eq!(pids(&plan), [61, 62, 63, 64, 65], "wrappers first, the shell and its other jobs not at all");
    let parts: Vec<&StepReason> = plan.steps.iter().map(|step| &step.reason).collect();
    assert!(matches!(
        parts[..],
        [
            StepReason::Wrapper,
            StepReason::Wrapper,
            StepReason::Holder(_),
            StepReason::Member,
            StepReason::Member
        ]
    ));
    assert_eq!(plan.refusals, []);
    assert!(!has_note(&plan, |note| matches!(note, PlanNote::Wrapper { .. } | PlanNote::Children { .. })));
}

#[test]
fn without_tree_the_wrapper_and_the_children_are_noted() {
    let plan = in_a_wrapper().signal();
    assert_eq!(pids(&plan), [63]);
    assert!(has_note(&plan, |note| matches!(note, PlanNote::Wrapper { wrapper, .. } if wrapper.pid == 61)));
    let of_child = |note: &PlanNote| {
        matches!(note, PlanNote::Children { children, .. }
            if children.iter().map(|child| child.pid).eq([64]))
    };
    assert!(has_note(&plan, of_child));
}

#[test]
fn workers_of_one_server_have_one_tree() {
    let mut facts = PlanFacts::new([node(63), node(64)]);
    facts.add(process(61, &["npm run dev"]), 1, 61, 61);
    facts.add(node(63), 61, 61, 61);
    facts.add(node(64), 63, 61, 61);
    assert_eq!(pids(&facts.tree()), [61, 63, 64]);
}

#[test]
fn a_tree_with_allears_is_refused() {
    for inside in [OWN, SHELL] {
        let mut facts = in_a_wrapper();
        facts.lineage = vec![OWN, SHELL, 1];
        facts.entries.push(entry(inside, 62, 61, 60));
        let plan = facts.tree();
        let refused = |refusal: &PlanRefusal| matches!(refusal, PlanRefusal::TreeHasAllears(process) if process.id.pid == inside);
        assert!(plan.refusals.iter().any(refused), "{:?}", plan.refusals);
        assert!(!pids(&plan).contains(&inside));
    }
}

#[test]
fn a_script_that_also_started_allears_is_not_ended() {
    let mut facts = in_a_wrapper();
    facts.entries.push(entry(OWN, 61, 61, 60));
    facts.lineage = vec![OWN, 61, 60, 1];
    for (tree, expected) in [(false, vec![63]), (true, vec![62, 63, 64])] {
        let plan = facts.plan(Via::Signal, tree);
        assert_eq!((pids(&plan), plan.refusals), (expected, vec![]));
    }
}

#[test]
fn a_tree_with_a_process_that_stands_for_others_is_refused() {
    for (at, mut member) in (80..).zip(of_each_role()) {
        if member.id.pid == 1 {
            continue;
        }
        member.id = id(at);
        let mut facts = in_a_wrapper();
        facts.add(member.clone(), 62, 61, 60);
        let refused = |refusal: &PlanRefusal| matches!(refusal, PlanRefusal::StandsFor { process, .. } if process.id == member.id);
        let plan = facts.tree();
        assert!(plan.refusals.iter().any(refused), "{:?}: {:?}", member.name, plan.refusals);
    }
}

#[test]
fn a_tree_with_a_protected_member_is_refused() {
    let mut facts = in_a_wrapper();
    facts.access.insert(id(64), Access::Denied);
    assert!(matches!(facts.tree().refusals.as_slice(), [PlanRefusal::Denied(_)]));
    facts.access.remove(&id(64));
    assert!(matches!(facts.tree().refusals.as_slice(), [PlanRefusal::Failed(..)]), "it was not opened");
}
