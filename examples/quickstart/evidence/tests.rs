//! The judge finds each fault that is planted, and only that.

use super::*;

const AT_MOST: Duration = Duration::from_millis(3500);

/// `tick` on `node`, `millis` into the second, for 600 ms.
fn run(node: usize, tick: u64, millis: u64) -> Run {
    let asked = Micros((tick * 1000 + millis) * 1000);
    Run {
        node,
        tick,
        asked,
        started: Micros(asked.0 + 2_000),
        ended: Some(Micros(asked.0 + 602_000)),
        token: Some(tick),
    }
}

/// Node 2 dies in tick 4 and node 1 takes over in tick 8.
fn sound() -> Evidence {
    let mut killed = run(1, 4, 200);
    killed.ended = None;
    let death = Death {
        node: 1,
        tick: 4,
        at: Micros(killed.started.0 + 5_000),
    };
    Evidence {
        runs: vec![
            run(0, 2, 200),
            run(2, 3, 200),
            killed,
            run(0, 8, 200),
            run(2, 9, 200),
        ],
        death: Some(death),
        ..Evidence::default()
    }
}

fn problems(evidence: &Evidence) -> Vec<String> {
    evidence.problems(AT_MOST, |tick| format!("t+{tick:02}s"))
}

#[test]
fn a_sound_demonstration_has_no_problem() {
    assert_eq!(problems(&sound()), Vec::<String>::new());
    let takeover = sound().takeover().unwrap();
    assert_eq!((takeover.node, takeover.tick), (0, 8));
    assert_eq!(takeover.after, Duration::from_millis(4002));
}

#[test]
fn a_tick_that_ran_on_two_nodes_is_found() {
    let mut evidence = sound();
    let mut second = run(1, 2, 850);
    second.ended = Some(Micros(3_100_000));
    second.token = None;
    evidence.runs.push(second);
    assert_eq!(
        problems(&evidence),
        ["tick t+02s ran more than once: node-1, node-2"]
    );
}

#[test]
fn an_overlap_of_two_ticks_is_found() {
    let mut evidence = sound();
    evidence.runs[0].ended = Some(Micros(3_500_000));
    assert_eq!(
        problems(&evidence),
        ["node-3 began t+03s while node-1 was still running t+02s"]
    );
}

#[test]
fn a_run_that_never_ended_overlaps_with_all_that_follow() {
    let mut evidence = sound();
    evidence.runs[3].ended = None;
    assert_eq!(
        problems(&evidence),
        ["node-3 began t+09s while node-1 was still running t+08s"]
    );
}

#[test]
fn a_long_run_overlaps_also_behind_a_short_one() {
    let mut evidence = sound();
    evidence.runs[0].ended = Some(Micros(4_100_000));
    evidence.runs[1].ended = Some(Micros(3_210_000));
    evidence.runs[2].started = Micros(4_050_000);
    evidence.runs[2].asked = Micros(4_049_000);
    let found = problems(&evidence);
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn a_token_that_does_not_grow_is_found() {
    let mut evidence = sound();
    evidence.runs[4].token = Some(8);
    assert_eq!(
        problems(&evidence),
        ["the fencing token did not grow from the run before t+09s to that of t+09s"]
    );
}

#[test]
fn a_takeover_before_at_most_is_found() {
    let mut evidence = sound();
    evidence.runs[3] = run(0, 7, 200);
    assert_eq!(
        problems(&evidence),
        [
            "node-1 took over at t+07s, 3.002 s after node-2 had asked for the lock: too early, at_most is 3.5 s"
        ]
    );
}

#[test]
fn a_takeover_by_the_very_next_tick_is_found() {
    let mut evidence = sound();
    evidence.runs.push(run(2, 5, 200));
    let found = problems(&evidence);
    assert!(found[0].contains("too early"), "{found:?}");
}

#[test]
fn a_late_takeover_is_found() {
    let mut evidence = sound();
    evidence.runs[3] = run(0, 10, 200);
    evidence.runs[4] = run(2, 11, 200);
    assert_eq!(
        problems(&evidence),
        [
            "node-1 took over at t+10s, 6.002 s after node-2 had asked for the lock: too late, 6.0 s is allowed"
        ]
    );
}

#[test]
fn no_takeover_is_found() {
    let mut evidence = sound();
    evidence.runs.truncate(3);
    assert_eq!(problems(&evidence), ["nobody took over the lock of node-2"]);
}

#[test]
fn a_kill_that_hit_nobody_is_no_demonstration() {
    let mut evidence = sound();
    evidence.death = None;
    assert!(problems(&evidence).iter().any(|p| p.starts_with("no node")));

    let mut evidence = sound();
    evidence.runs[2].ended = Some(Micros(4_800_000));
    assert!(problems(&evidence)[0].starts_with("node-2 had ended its work"));
}

#[test]
fn mishaps_are_problems() {
    let mut evidence = sound();
    evidence.mishaps.push("node-3 ended by itself".to_owned());
    assert_eq!(problems(&evidence), ["node-3 ended by itself"]);
}

#[test]
fn seconds_are_short() {
    let say = |millis| seconds(Duration::from_millis(millis));
    assert_eq!(
        (say(3500), say(4002), say(6000)),
        ("3.5 s".into(), "4.002 s".into(), "6.0 s".into())
    );
}
