//! A browser without a window, told what to do over two pipes by the `DevTools` protocol.
//!
//! Over pipes there is no port to find and no client to build: a message is JSON and a zero byte.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use shedlock_testkit::Unavailable;
use tempfile::TempDir;

/// How long a test waits for a page, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// All tests of this program share one browser, which ends with the last of them.
static SHARED: Mutex<Weak<Browser>> = Mutex::new(Weak::new());

/// A running browser.
#[derive(Debug)]
pub(crate) struct Browser {
    child: Mutex<Child>,
    commands: Mutex<ChildStdin>,
    last: AtomicU64,
    heard: Arc<Heard>,
    _profile: TempDir,
}

/// What the browser has said.
#[derive(Debug, Default)]
struct Heard {
    waiting: Mutex<HashMap<u64, Sender<Value>>>,
    /// Errors of each session: of scripts, of the policy, of files that are missing.
    errors: Mutex<HashMap<String, Vec<String>>>,
}

impl Browser {
    pub(crate) fn shared() -> Result<Arc<Self>, Unavailable> {
        let mut shared = SHARED.lock().unwrap();
        if let Some(browser) = shared.upgrade() {
            return Ok(browser);
        }
        let browser = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&browser);
        Ok(browser)
    }

    fn start() -> Result<Self, Unavailable> {
        let missing = |reason: String| {
            let install = "apt-get install -y --no-install-recommends chromium";
            Unavailable::installable("Chromium", reason, install)
        };
        let path = env::var_os("PATH").unwrap_or_default();
        let program = env::split_paths(&path)
            .map(|folder| folder.join("chromium"))
            .find(|file| file.is_file())
            .ok_or_else(|| missing("there is no `chromium`".to_owned()))?;
        let profile = TempDir::new().unwrap();
        let mut child = Command::new("sh")
            // The browser reads commands from descriptor 3 and answers on 4.
            .args([
                "-c",
                "exec 3<&0 4>&1 </dev/null >/dev/null; exec \"$@\"",
                "sh",
            ])
            .arg(program)
            .args(["--headless", "--remote-debugging-pipe", "--no-first-run"])
            // The tests may run as root, in a container with little shared memory; the pages are ours.
            .args(["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"])
            .args([
                "--lang=en",
                "--hide-scrollbars",
                "--force-color-profile=srgb",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| missing(error.to_string()))?;
        let commands = child.stdin.take().unwrap();
        let answers = child.stdout.take().unwrap();
        let heard = Arc::<Heard>::default();
        let hearing = Arc::clone(&heard);
        thread::spawn(move || hearing.listen(answers));
        Ok(Self {
            child: Mutex::new(child),
            commands: Mutex::new(commands),
            last: AtomicU64::new(0),
            heard,
            _profile: profile,
        })
    }

    fn call(&self, session: Option<&str>, method: &str, parameters: &Value) -> Value {
        let answer = self.ask(session, method, parameters);
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// The result of a command, or the browser's error.
    fn ask(&self, session: Option<&str>, method: &str, parameters: &Value) -> Result<Value, Value> {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, answer) = channel();
        self.heard.waiting.lock().unwrap().insert(id, sender);
        let mut command = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        let text = format!("{command}\0");
        self.commands
            .lock()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let mut answer = answer
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("the browser does not answer `{method}`"));
        match answer["error"].take() {
            Value::Null => Ok(answer["result"].take()),
            error => Err(error),
        }
    }

    /// A new page, with cookies and storage of its own.
    pub(crate) fn page(self: &Arc<Self>) -> Page {
        let context = self.call(None, "Target.createBrowserContext", &json!({}));
        let context = &context["browserContextId"];
        let blank = json!({ "url": "about:blank", "browserContextId": context });
        let target = self.call(None, "Target.createTarget", &blank);
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.call(None, "Target.attachToTarget", &attach);
        let page = Page {
            browser: Arc::clone(self),
            session: session["sessionId"].as_str().unwrap().to_owned(),
        };
        for domain in ["Page", "Runtime", "Log"] {
            page.call(&format!("{domain}.enable"), &json!({}));
        }
        page.call(
            "Emulation.setFocusEmulationEnabled",
            &json!({ "enabled": true }),
        );
        page
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        // The browser is a group of processes that end with the first one.
        let _killed = child.kill();
        let _ended = child.wait();
    }
}

impl Heard {
    fn listen(&self, answers: ChildStdout) {
        for message in BufReader::new(answers).split(0) {
            let Ok(message) = message else { return };
            let message: Value = serde_json::from_slice(&message).unwrap();
            match message["id"].as_u64() {
                Some(id) => {
                    if let Some(sender) = self.waiting.lock().unwrap().remove(&id) {
                        // Whoever asked may have given up.
                        drop(sender.send(message));
                    }
                }
                None => self.note(&message),
            }
        }
    }

    fn note(&self, event: &Value) {
        let text = match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => event["params"]["exceptionDetails"].to_string(),
            Some("Log.entryAdded") if event["params"]["entry"]["level"] == "error" => {
                event["params"]["entry"].to_string()
            }
            Some("Runtime.consoleAPICalled") => event["params"].to_string(),
            _ => return,
        };
        let session = event["sessionId"].as_str().unwrap_or_default().to_owned();
        self.errors
            .lock()
            .unwrap()
            .entry(session)
            .or_default()
            .push(text);
    }
}

/// One page of a browser.
#[derive(Debug)]
pub(crate) struct Page {
    browser: Arc<Browser>,
    session: String,
}

impl Page {
    fn call(&self, method: &str, parameters: &Value) -> Value {
        self.browser.call(Some(&self.session), method, parameters)
    }

    /// Opens `url`, and waits until the page is complete.
    pub(crate) fn open(&self, url: &str) {
        let opened = self.call("Page.navigate", &json!({ "url": url }));
        assert!(opened["errorText"].is_null(), "{url}: {opened}");
        self.until(&format!("document.readyState === 'complete' && location.href !== 'about:blank' && document.title !== '' /* {url} */"));
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&self, expression: &str) -> Value {
        let value = self.value_unless_replaced(expression);
        value.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// The value of an expression, or the browser's error for a page that is replaced meanwhile.
    fn value_unless_replaced(&self, expression: &str) -> Result<Value, Value> {
        let evaluate =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let session = Some(self.session.as_str());
        let mut answer = self.browser.ask(session, "Runtime.evaluate", &evaluate)?;
        let error = &answer["exceptionDetails"];
        assert!(error.is_null(), "{expression}: {error}");
        Ok(answer["result"]["value"].take())
    }

    /// Waits until the expression is true. A page that is being replaced has no value.
    pub(crate) fn until(&self, expression: &str) {
        let guarded = format!(
            "(() => {{ try {{ return Boolean({expression}); }} catch {{ return false; }} }})()"
        );
        let end = Instant::now() + PATIENCE;
        while self.value_unless_replaced(&guarded) != Ok(Value::Bool(true)) {
            assert!(
                Instant::now() < end,
                "it is not so after a while: {expression}\n{}",
                self.value("document.body.innerText")
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn size(&self, width: u32, height: u32) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", &size);
    }

    pub(crate) fn colours(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.call(
            "Emulation.setEmulatedMedia",
            &json!({ "features": [feature] }),
        );
    }

    /// Forbids scripts of the pages that are opened from now on.
    pub(crate) fn without_scripts(&self) {
        self.call(
            "Emulation.setScriptExecutionDisabled",
            &json!({ "value": true }),
        );
    }

    /// Presses and releases a key, as `Enter`, `ArrowDown` or `/`.
    pub(crate) fn press(&self, key: &str) {
        let code = match key {
            "Enter" => 13,
            "Tab" => 9,
            "Escape" => 27,
            "ArrowDown" => 40,
            "ArrowUp" => 38,
            " " => 32,
            _ => 0,
        };
        let text = match key {
            "Enter" => "\r",
            key if key.chars().count() == 1 => key,
            _ => "",
        };
        let event =
            |kind| json!({ "type": kind, "key": key, "text": text, "windowsVirtualKeyCode": code });
        self.call(
            "Input.dispatchKeyEvent",
            &event(if text.is_empty() {
                "rawKeyDown"
            } else {
                "keyDown"
            }),
        );
        self.call(
            "Input.dispatchKeyEvent",
            &json!({ "type": "keyUp", "key": key, "windowsVirtualKeyCode": code }),
        );
    }

    /// Types into what has the focus.
    pub(crate) fn write(&self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
    }

    /// What a screen reader is told: role and name of each part.
    pub(crate) fn parts(&self) -> Vec<(String, String)> {
        let tree = self.call("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].as_array().unwrap().iter();
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().to_owned();
        nodes
            .filter(|node| node["ignored"] != true)
            .map(|node| (text(&node["role"]), text(&node["name"])))
            .collect()
    }

    /// Writes a picture of the whole page into the folder that `SHEDLOCK_SCREENSHOTS` names, if it is set.
    pub(crate) fn picture(&self, name: &str) {
        let Some(folder) = env::var_os("SHEDLOCK_SCREENSHOTS") else {
            return;
        };
        let whole = json!({ "format": "png", "captureBeyondViewport": true });
        let picture = self.call("Page.captureScreenshot", &whole);
        let bytes = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        let file = std::path::Path::new(&folder).join(format!("{name}.png"));
        fs::write(file, bytes).unwrap();
    }

    /// What went wrong in the page: errors of scripts, refusals of the policy, missing files.
    pub(crate) fn errors(&self) -> Vec<String> {
        let mut errors = self.browser.heard.errors.lock().unwrap();
        errors.remove(&self.session).unwrap_or_default()
    }
}
