//! `pumice lsp`, spoken to by a client of our own and by a real editor.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value as Json, json};

const URI: &str = "file:///lab/job.yaml";

/// A misspelt key in line 2; `actions` is empty.
const TEXT: &str = "job_name: a\nvisibilty: public\ntimeouts:\n  job: {minutes: 5}\nactions: []\n";

/// A client that waits for what it asked.
struct Client {
    server: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    asked: u64,
}

impl Client {
    fn start() -> Self {
        let mut server = Command::new(env!("CARGO_BIN_EXE_pumice"))
            .arg("lsp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = server.stdin.take().unwrap();
        let output = BufReader::new(server.stdout.take().unwrap());
        Self { server, input, output, asked: 0 }
    }

    fn send(&mut self, message: &Json) {
        let body = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        self.input.flush().unwrap();
    }

    fn receive(&mut self) -> Json {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the server is gone");
            match line.trim_end().strip_prefix("Content-Length: ") {
                Some(text) => length = text.parse().unwrap(),
                None if line.trim_end().is_empty() => break,
                None => {}
            }
        }
        let mut body = vec![0; length];
        self.output.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    fn ask(&mut self, method: &str, params: &Json) -> Json {
        self.asked += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": self.asked, "method": method, "params": params }));
        let answer = self.receive();
        assert_eq!(answer["id"], self.asked);
        answer
    }

    fn tell(&mut self, method: &str, params: &Json) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Opens `text`; what is wrong with it.
    fn open(&mut self, text: &str) -> Json {
        self.open_at(URI, text)
    }

    fn open_at(&mut self, uri: &str, text: &str) -> Json {
        let document = json!({ "uri": uri, "languageId": "yaml", "version": 1, "text": text });
        self.tell("textDocument/didOpen", &json!({ "textDocument": document }));
        self.receive()["params"].clone()
    }

    fn at(line: u64, character: u64) -> Json {
        json!({ "textDocument": { "uri": URI }, "position": { "line": line, "character": character } })
    }

    /// Ends the server as the protocol wants; its exit code.
    fn end(mut self) -> Option<i32> {
        assert_eq!(self.ask("shutdown", &Json::Null)["result"], Json::Null);
        self.tell("exit", &Json::Null);
        self.server.wait().unwrap().code()
    }
}

#[test]
fn a_session_has_diagnostics_completion_hover_and_a_quick_fix() {
    let mut client = Client::start();
    assert_eq!(client.ask("textDocument/hover", &Client::at(0, 0))["error"]["code"], -32002);
    let utf8 = json!({ "capabilities": { "general": { "positionEncodings": ["utf-16", "utf-8"] } } });
    let capabilities = client.ask("initialize", &utf8)["result"]["capabilities"].clone();
    assert_eq!(capabilities["positionEncoding"], "utf-8");
    client.tell("initialized", &json!({}));

    let told = client.open(TEXT);
    assert_eq!(told["version"], 1);
    let misspelt = &told["diagnostics"][0];
    let range = json!({ "start": { "line": 1, "character": 0 }, "end": { "line": 1, "character": 9 } });
    assert_eq!(misspelt["range"], range);
    assert!(misspelt["message"].as_str().unwrap().contains("did you mean `visibility`?"), "{misspelt}");

    let document =
        json!({ "textDocument": { "uri": URI }, "range": range, "context": { "diagnostics": [] } });
    let fixes = client.ask("textDocument/codeAction", &document);
    assert_eq!(fixes["result"][0]["edit"]["changes"][URI][0]["newText"], "visibility");

    let hover = client.ask("textDocument/hover", &Client::at(2, 3));
    assert_eq!(hover["result"]["range"]["start"], json!({ "line": 2, "character": 0 }));

    let mended = TEXT.replace("visibilty", "visibility").replace("actions: []", "");
    let change =
        json!({ "textDocument": { "uri": URI, "version": 2 }, "contentChanges": [{ "text": mended }] });
    client.tell("textDocument/didChange", &change);
    let told = client.receive()["params"].clone();
    assert_eq!(told["version"], 2);
    assert!(!told.to_string().contains("visibilty"), "{told}");

    let completion = client.ask("textDocument/completion", &Client::at(4, 0));
    let labels: Vec<_> =
        completion["result"].as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap()).collect();
    assert!(labels.contains(&"actions") && !labels.contains(&"timeouts"), "{labels:?}");

    assert_eq!(client.ask("workspace/symbol", &json!({}))["error"]["code"], -32601);
    client.tell("textDocument/didClose", &json!({ "textDocument": { "uri": URI } }));
    assert_eq!(client.receive()["params"]["diagnostics"], json!([]));
    assert_eq!(client.end(), Some(0));
}

/// Opens a text at `uri` and compares the lines, from 0, and words of what is wrong with it.
#[track_caller]
fn check_at(uri: &str, text: &str, expected: &[(u64, &str)]) {
    let mut client = Client::start();
    client.ask("initialize", &json!({ "capabilities": {} }));
    let told = client.open_at(uri, text);
    let found = told["diagnostics"].as_array().unwrap();
    let line = |one: &Json| one["range"]["start"]["line"].as_u64().unwrap();
    let words = |one: &Json| one["message"].as_str().unwrap().to_owned();
    let shown: Vec<_> = found.iter().map(|one| (line(one), words(one))).collect();
    assert_eq!(shown.len(), expected.len(), "{shown:#?}");
    for ((line, words), (expected_line, part)) in shown.iter().zip(expected) {
        assert_eq!(line, expected_line, "{shown:#?}");
        assert!(words.contains(part), "{words}");
    }
    assert_eq!(client.end(), Some(0));
}

#[test]
fn a_test_definition_is_read_as_one() {
    let uri = "file:///lab/tests/smoke.yaml";
    let head = "metadata: {format: Lava-Test Test Definition 1.0, name: smoke}\n";
    check_at(uri, &format!("{head}run: {{steps: [ls]}}\n"), &[]);
    check_at(uri, &format!("{head}run:\n  steps: ls\ninstal: {{}}\n"), &[(2, "list"), (3, "instal")]);
}

#[test]
fn a_test_definitions_keys_are_offered_and_explained() {
    let mut client = Client::start();
    client.ask("initialize", &json!({ "capabilities": {} }));
    client.open("metadata: {format: Lava-Test Test Definition 1.0, name: smoke}\nrun: {steps: [ls]}\n\n");
    let offered = client.ask("textDocument/completion", &Client::at(2, 0));
    let has = |word| offered["result"].as_array().unwrap().iter().any(|item| item["label"] == word);
    assert!(has("install") && !has("actions"), "{offered:#}");
    let hover = client.ask("textDocument/hover", &Client::at(1, 1));
    assert!(hover["result"]["contents"]["value"].is_string(), "{hover:#}");
    client.end();
}

#[test]
fn a_rendered_device_is_read_as_one() {
    let uri = "file:///lab/devices/a.yaml";
    let actions = "actions: {boot: {methods: {minimal: null}}}\n";
    check_at(uri, &format!("hostname: a\n{actions}"), &[]);
    check_at(uri, &format!("hostname: a\ntime_factor: slow\n{actions}"), &[(1, "whole number")]);
}

#[test]
fn a_dictionary_is_rendered_and_its_mistakes_stand_where_they_come_from() {
    let uri = "file:///lab/devices/a.jinja2";
    check_at(uri, "{% extends 'qemu.jinja2' %}\n{% set memory = 512 %}\n", &[]);
    check_at(uri, "{% extends 'qemu.jinja2' %}\n{% set memory = %}\n", &[(1, "unexpected")]);
    check_at(uri, "{% extends 'nothing.jinja2' %}\n", &[(0, "nothing")]);
    let wrong = "{% extends 'qemu.jinja2' %}\n{% set test_character_delay = 'slow' %}\n";
    check_at(uri, wrong, &[(1, "whole number")]);
}

#[test]
fn a_job_is_planned_for_the_device_type_it_names() {
    let job = |device_type: &str| {
        format!(
            "job_name: a\ndevice_type: {device_type}\nvisibility: public\ncontext: {{arch: arm64}}\n\
             timeouts: {{job: {{minutes: 5}}}}\nactions:\n- boot: {{method: fvp, prompts: ['#']}}\n"
        )
    };
    // Whatever else may be said of it: only the one planned for a device says that it cannot boot so.
    let mut client = Client::start();
    client.ask("initialize", &json!({ "capabilities": {} }));
    let known = client.open(&job("qemu"))["diagnostics"].to_string();
    let unknown =
        client.open_at("file:///lab/other.yaml", &job("board-of-a-far-lab"))["diagnostics"].to_string();
    assert!(known.len() > unknown.len(), "{known}\n{unknown}");
    assert!(!unknown.contains("board-of-a-far-lab"), "{unknown}");
    client.end();
}

#[test]
fn a_client_that_goes_without_shutdown_ends_the_server() {
    let mut client = Client::start();
    client.ask("initialize", &json!({ "capabilities": {} }));
    drop(client.input);
    assert_eq!(client.server.wait().unwrap().code(), Some(1));
}

/// What the editor does: opens the job, waits for diagnostics, asks for hover and completion, writes all down.
const SCRIPT: &str = r"
local server, job, out = arg_server, arg_job, arg_out
vim.cmd('edit ' .. job)
local client = vim.lsp.start_client({ name = 'pumice', cmd = { server, 'lsp' } })
vim.lsp.buf_attach_client(0, client)
local told = vim.wait(30000, function() return #vim.diagnostic.get(0) > 0 end, 20)
local answers = { told = told, diagnostics = {} }
for _, one in ipairs(vim.diagnostic.get(0)) do
  table.insert(answers.diagnostics, { line = one.lnum, message = one.message })
end
local document = { uri = vim.uri_from_bufnr(0) }
local function ask(method, line, character)
  local params = { textDocument = document, position = { line = line, character = character } }
  local all = vim.lsp.buf_request_sync(0, method, params, 30000)
  for _, answer in pairs(all or {}) do return answer.result end
end
answers.hover = ask('textDocument/hover', 2, 3)
answers.completion = ask('textDocument/completion', 3, 2)
local file = io.open(out, 'w')
file:write(vim.fn.json_encode(answers))
file:close()
vim.lsp.stop_client(client)
vim.cmd('qall!')
";

#[test]
fn neovim_shows_what_the_server_says() {
    if Command::new("nvim").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("skipped: no nvim on PATH");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("job.yaml"), TEXT).unwrap();
    let quoted = |path: &str| format!("{path:?}");
    let server = Path::new(env!("CARGO_BIN_EXE_pumice")).to_str().unwrap();
    let script = SCRIPT
        .replace("arg_server", &quoted(server))
        .replace("arg_job", &quoted(&path("job.yaml")))
        .replace("arg_out", &quoted(&path("answers.json")));
    fs::write(path("script.lua"), script).unwrap();
    let ended = Command::new("nvim")
        .args([
            "--headless",
            "--clean",
            "-n",
            "-c",
            &format!("luafile {}", path("script.lua")),
            "-c",
            "cquit",
        ])
        .env("HOME", directory.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    let answers = fs::read_to_string(path("answers.json")).unwrap_or_else(|_| panic!("neovim said: {said}"));
    let answers: Json = serde_json::from_str(&answers).unwrap();
    let diagnostics = answers["diagnostics"].as_array().unwrap();
    let misspelt = |one: &Json| one["line"] == 1 && one["message"].as_str().unwrap().contains("`visibility`");
    assert!(diagnostics.iter().any(misspelt), "{answers:#}");
    assert!(answers["hover"]["contents"]["value"].as_str().is_some_and(|text| !text.is_empty()));
    let items = answers["completion"].as_array().unwrap();
    assert!(items.iter().any(|item| item["label"] == "connection"), "{answers:#}");
}
