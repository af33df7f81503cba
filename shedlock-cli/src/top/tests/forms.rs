//! Pausing, resuming and releasing.

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::KeyCode;
use shedlock_runtime::{
    InMemoryLockProvider, LockAdmin as _, LockConfiguration, LockProviderExt as _,
};

use super::store::{record, snapshot};
use super::{SECOND, control, frame, press, showing, types};
use crate::top::app::{App, Effect, Event, Prompt};
use crate::top::deed::Deed;

async fn one(owner: &str) -> App {
    showing(snapshot(vec![record("mail\n2", owner, 5, 50)], Vec::new()).await)
}

fn error(app: &App) -> Option<&str> {
    match &app.prompt {
        Some(Prompt::Form(form)) => form.error.as_deref(),
        _ => None,
    }
}

#[tokio::test]
async fn a_pause_asks_for_how_long_and_why() {
    let mut app = one("web-1").await;
    types(&mut app, "p");
    control(&mut app, 'u');
    types(&mut app, "soon");
    assert_eq!(press(&mut app, KeyCode::Enter), None);
    assert!(error(&app).is_some(), "{app:?}");
    control(&mut app, 'u');
    types(&mut app, "0s");
    press(&mut app, KeyCode::Enter);
    assert_eq!(error(&app), Some("a pause takes some time"));
    control(&mut app, 'u');
    assert_eq!(error(&app), None);
    types(&mut app, "90m");
    press(&mut app, KeyCode::Enter);
    types(&mut app, " moving the mail server ");
    let expected = Deed::Pause {
        lock: "mail\n2".to_owned(),
        length: Duration::from_mins(90),
        reason: "moving the mail server".to_owned(),
    };
    assert_eq!(press(&mut app, KeyCode::Enter), Some(Effect::Do(expected)));
    assert!(frame(&app, 80, 24).contains(r"pausing mail\n2 .."));
    // One thing at a time.
    types(&mut app, "K");
    assert_eq!(app.prompt, None);

    let done = Event::Done(Ok("done".to_owned()));
    assert_eq!(app.update(done, SECOND * 2), Some(Effect::Read));
    assert!(frame(&app, 80, 24).contains("\ndone\n"));
    types(&mut app, "j");
    assert!(!frame(&app, 80, 24).contains("\ndone\n"));
}

#[tokio::test]
async fn a_release_wants_the_name_typed_as_it_is_shown_and_a_reason() {
    let mut app = one("web-1").await;
    types(&mut app, "Kmail");
    press(&mut app, KeyCode::Enter);
    assert_eq!(error(&app), Some("this is not the name of the lock"));
    // Nor does another way around help.
    press(&mut app, KeyCode::Tab);
    types(&mut app, "because");
    assert_eq!(press(&mut app, KeyCode::Enter), None);
    assert_eq!(error(&app), Some("this is not the name of the lock"));
    types(&mut app, r"\n2");
    press(&mut app, KeyCode::Enter);
    let expected = Deed::Release {
        lock: "mail\n2".to_owned(),
        reason: "because".to_owned(),
    };
    assert_eq!(press(&mut app, KeyCode::Enter), Some(Effect::Do(expected)));

    let mut app = one("web-1").await;
    types(&mut app, r"Kmail\n2");
    press(&mut app, KeyCode::Enter);
    assert_eq!(press(&mut app, KeyCode::Enter), None);
    assert!(error(&app).unwrap().starts_with("say why"));
    press(&mut app, KeyCode::Esc);
    assert_eq!(app.prompt, None);
}

#[tokio::test]
async fn a_question_is_about_the_lock_that_was_selected_when_it_was_asked() {
    let mut app = one("web-1").await;
    types(&mut app, "p");
    let others = vec![record("another", "web-1", 5, 50)];
    let read = Event::Read(Ok(snapshot(others, Vec::new()).await));
    app.update(read, SECOND * 2);
    press(&mut app, KeyCode::Enter);
    let Some(Effect::Do(Deed::Pause { lock, .. })) = press(&mut app, KeyCode::Enter) else {
        panic!("a pause");
    };
    assert_eq!(lock, "mail\n2");
}

#[tokio::test]
async fn only_a_paused_lock_is_resumed() {
    let mut app = one("web-1").await;
    assert_eq!(types(&mut app, "u"), None);
    assert!(frame(&app, 80, 24).contains(r"mail\n2 is not paused"));
    let mut app = one("paused: a release").await;
    let lock = "mail\n2".to_owned();
    assert_eq!(
        types(&mut app, "u"),
        Some(Effect::Do(Deed::Resume { lock }))
    );
}

#[tokio::test]
async fn deeds_are_done_and_told() {
    let provider = InMemoryLockProvider::new();
    let store: Arc<dyn shedlock_runtime::LockAdmin> = Arc::new(provider.clone());
    let lock = || "mail".to_owned();
    let reason = || "a release".to_owned();
    let pause = |length| Deed::Pause {
        lock: lock(),
        length,
        reason: reason(),
    };
    let said = pause(SECOND * 90).done(&*store).await.unwrap();
    assert!(said.starts_with("mail is paused for 1m 30s"), "{said}");
    assert!(provider.get("mail").await.unwrap().unwrap().paused);
    let error = pause(Duration::MAX).done(&*store).await.unwrap_err();
    assert!(error.contains("mail"), "{error}");

    let resume = Deed::Resume { lock: lock() };
    assert_eq!(resume.done(&*store).await.unwrap(), "mail is resumed");
    assert_eq!(resume.done(&*store).await.unwrap(), "mail is not paused");

    let config = LockConfiguration::new("mail", "5m").unwrap();
    let _held = provider.try_lock(config).await.unwrap().unwrap();
    let (lock, reason) = (lock(), reason());
    let release = Deed::Release { lock, reason };
    let said = release.done(&*store).await.unwrap();
    assert!(said.starts_with("mail is released"), "{said}");
    assert_eq!(release.done(&*store).await.unwrap(), "mail was free");
}
