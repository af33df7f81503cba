//! A walk through the page by keys alone, a page that keeps itself new, and a thousand locks.

use std::sync::Arc;

use serde_json::json;
use shedlock_dashboard::Dashboard;
use shedlock_runtime::{
    InMemoryLockProvider, LockAdmin as _, LockConfiguration, LockProviderExt as _,
};
use shedlock_testkit::server_or_skip;

use crate::browser::{Browser, Page};
use crate::scene::Scene;
use crate::support::{Server, TOKEN, dashboard};

/// Presses Tab until the focus is where `selector` says.
fn tab_to(page: &Page, selector: &str) {
    for _ in 0..40 {
        page.press("Tab");
        if page.value(&format!(
            "document.activeElement.matches({})",
            json!(selector)
        )) == true
        {
            return;
        }
    }
    panic!("no way to `{selector}` by the Tab key");
}

#[test]
fn by_keys_alone_a_lock_is_found_paused_and_released() {
    let browser = server_or_skip!(Browser::shared());
    let provider = InMemoryLockProvider::new();
    let built = dashboard(Arc::new(provider.clone())).operator("ada", TOKEN);
    let server = Server::start(built.build().unwrap().router());
    let take = async |name: &str| {
        let config = LockConfiguration::new(name, "10m").unwrap();
        provider.try_lock(config).await.unwrap().unwrap()
    };
    let _locks = server.block_on(async { (take("mail").await, take("nightly").await) });
    let page = browser.page();
    page.size(1280, 900);
    page.open(&server.url("/"));
    page.until("document.getElementById('live').textContent === 'Live'");

    page.press("?");
    page.until("document.getElementById('help').open");
    page.press("Escape");
    page.until("!document.getElementById('help').open");

    page.press("/");
    page.until("document.activeElement.id === 'q'");
    page.write("night");
    page.until(
        "document.querySelectorAll('[data-row]').length === 1 && location.search.includes('q=night')",
    );
    page.press("ArrowDown");
    page.until("document.activeElement.textContent === 'nightly'");
    page.press("Enter");
    page.until("document.getElementById('lock-name').textContent === 'nightly'");

    tab_to(&page, "summary");
    page.press("Enter");
    tab_to(&page, "details[open] [name=why]");
    page.write("new cluster");
    tab_to(&page, "details[open] [name=token]");
    page.write(TOKEN);
    page.press("Enter");
    page.until("document.querySelector('.done').textContent.includes('Paused')");
    let paused = server.block_on(provider.get("nightly")).unwrap().unwrap();
    assert!(paused.paused);
    assert_eq!(paused.reason.as_deref(), Some("ada: new cluster"));

    // Resume is first now; the release is the second form.
    tab_to(&page, "details:nth-of-type(2) summary");
    page.press("Enter");
    tab_to(&page, "details[open] [name=confirm]");
    page.write("nightly?");
    tab_to(&page, "details[open] [name=why]");
    page.write("moved");
    tab_to(&page, "details[open] [name=token]");
    page.write(TOKEN);
    page.press("Enter");
    page.until("document.querySelector('.refused').textContent.includes('is not the name')");
    tab_to(&page, "details[open] [name=confirm]");
    page.write("nightly");
    tab_to(&page, "details[open] [name=token]");
    page.write(TOKEN);
    page.press("Enter");
    page.until("document.querySelector('.done').textContent.includes('Released')");
    let freed = server.block_on(provider.get("nightly")).unwrap().unwrap();
    assert!(!freed.is_held());

    // The page is there before its script listens to keys.
    page.until("document.getElementById('live').textContent === 'Live'");
    page.press("Escape");
    page.until("document.getElementById('filter') !== null");
    let mut errors = page.errors();
    // The browser calls the answer to the wrong name an error, as it is one.
    errors.retain(|error| !error.contains("400 (Bad Request)"));
    assert_eq!(errors, Vec::<String>::new());
}

#[test]
fn the_page_keeps_itself_new_and_can_be_paused() {
    let browser = server_or_skip!(Browser::shared());
    let provider = InMemoryLockProvider::new();
    let server = Server::start(
        dashboard(Arc::new(provider.clone()))
            .build()
            .unwrap()
            .router(),
    );
    let take = |name: &str| {
        let config = LockConfiguration::new(name, "10m").unwrap();
        server.block_on(provider.try_lock(config)).unwrap().unwrap()
    };
    let _first = take("first");
    let page = browser.page();
    page.open(&server.url("/locks"));
    page.until("document.getElementById('live').textContent === 'Live'");
    page.press("ArrowDown");
    page.until("document.activeElement.textContent === 'first'");
    let _second = take("another");
    page.until("document.querySelectorAll('[data-row]').length === 2");
    // The focus stays where it was, although all rows are new.
    page.until("document.activeElement.textContent === 'first'");

    page.press("p");
    page.until("document.getElementById('live').textContent === 'Paused'");
    let _third = take("third");
    server.block_on(async { tokio::time::sleep(std::time::Duration::from_secs(1)).await });
    assert_eq!(
        page.value("document.querySelectorAll('[data-row]').length"),
        2
    );
    page.press("p");
    page.until("document.querySelectorAll('[data-row]').length === 3");
    assert_eq!(page.errors(), Vec::<String>::new());
}

#[test]
fn a_thousand_locks_are_quick() {
    let browser = server_or_skip!(Browser::shared());
    let mut scene = Scene::new();
    for at in 0..1_000 {
        let name = format!("tenant-{at:04}:nightly-report");
        scene = match at % 20 {
            0 => scene.held(&name, &format!("web-{}", at % 7), 60 + at, 240 + at, at),
            _ => scene.free(&name),
        };
        if at % 20 == 0 {
            scene = scene.runs(&name, &["web-1", "web-2", "web-3"], 400 + at, 20 + at / 3);
        }
    }
    let built = Dashboard::builder(Arc::new(scene)).build().unwrap();
    let server = Server::start(built.router());
    let page = browser.page();
    page.size(1280, 900);
    page.open(&server.url("/locks"));
    page.until("document.getElementById('live').textContent === 'Live'");
    page.picture("thousand-light-1280");
    assert!(
        page.value("document.querySelectorAll('*').length")
            .as_u64()
            .unwrap()
            < 8_000
    );
    page.press("/");
    page.write("tenant-0777");
    page.until("document.querySelectorAll('[data-row]').length === 1");
    page.press("ArrowDown");
    page.until("document.activeElement.textContent === 'tenant-0777:nightly-report'");
    page.press("ArrowUp");
    page.until("document.activeElement.id === 'q'");
    page.press("Escape");
    page.until("document.querySelectorAll('[data-row]').length === 50");
    for _ in 0..49 {
        page.press("ArrowDown");
    }
    page.until(
        "[...document.querySelectorAll('[data-row]')].indexOf(document.activeElement) === 48",
    );
    assert_eq!(page.errors(), Vec::<String>::new());
}
