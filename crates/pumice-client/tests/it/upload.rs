//! Sending files for jobs: what the server has, what it says, and lines that break.

use std::{
    io::Cursor,
    sync::{Arc, Mutex},
};

use pumice_client::{Credentials, LabClient, NewUpload, Sent, UploadError};

use crate::{Answer, FakeServer, connection};

/// What a server remembers of a file.
#[derive(Default)]
struct Known {
    /// How many bytes it will have.
    size: u64,
    bytes: Vec<u8>,
    /// How often a piece is not answered; it is taken all the same.
    silent: u32,
    /// The status that pieces are refused with.
    refusal: Option<u16>,
}

impl Known {
    fn answer(&self) -> Answer {
        let (size, offset) = (self.size, self.bytes.len() as u64);
        let complete = offset == size;
        Answer::json(
            200,
            &format!(
                r#"{{"sha256": "x", "name": "f", "size": {size}, "offset": {offset}, "complete": {complete}, "created": "", "expires": ""}}"#
            ),
        )
    }
}

/// Sends `hello`, which is said to have `size` bytes, to a server that knows this already.
fn send(known: Known, size: u64, limit: usize) -> (Result<Sent, UploadError>, Vec<u8>, Vec<u64>) {
    let state = Arc::new(Mutex::new(Known { size, ..known }));
    let shared = Arc::clone(&state);
    let server = FakeServer::start(move |request| {
        let mut known = shared.lock().expect("no test panics while it holds this");
        if request.method == "GET" {
            let nothing = known.bytes.is_empty();
            return Some(if nothing { Answer::json(404, r#"{"detail": "none"}"#) } else { known.answer() });
        }
        if let Some(status) = known.refusal {
            return Some(Answer::json(status, r#"{"detail": "no"}"#));
        }
        let offset = request.field("offset").and_then(|text| text.parse().ok());
        if offset != Some(known.bytes.len()) {
            return Some(Answer::json(409, r#"{"detail": "gap"}"#));
        }
        known.bytes.extend(request.body.iter().take(limit));
        if known.silent > 0 {
            known.silent -= 1;
            return None;
        }
        Some(known.answer())
    });
    let client = LabClient::new(connection(&server, Credentials::Token("secret".to_owned())));
    let file = NewUpload { name: "f".to_owned(), size, sha256: "x".to_owned() };
    let mut told = Vec::new();
    let sent = client.send_file(&file, Cursor::new(b"hello"), &mut |done| told.push(done));
    let bytes = state.lock().expect("no test panics while it holds this").bytes.clone();
    (sent, bytes, told)
}

#[test]
fn what_the_server_has_is_not_sent_again() {
    let (sent, _, told) = send(Known { bytes: b"hello".to_vec(), ..Known::default() }, 5, 5);
    assert!(matches!(sent, Ok(Sent::Known)) && told.is_empty());
    let (sent, bytes, told) = send(Known { bytes: b"he".to_vec(), ..Known::default() }, 5, 5);
    assert!(matches!(sent, Ok(Sent::From(2))) && bytes == b"hello");
    assert_eq!(told, [2, 5]);
}

#[test]
fn pieces_follow_where_the_server_is_also_when_its_answer_was_lost() {
    let (sent, bytes, told) = send(Known { silent: 2, ..Known::default() }, 5, 2);
    assert!(matches!(sent, Ok(Sent::From(0))) && bytes == b"hello", "{sent:?}");
    assert_eq!(told, [0, 2, 4, 5]);
}

#[test]
fn a_file_that_changed_is_said_so_and_a_refusal_is_not_tried_again() {
    let refused = |status| send(Known { refusal: Some(status), ..Known::default() }, 5, 5).0.unwrap_err();
    assert!(matches!(refused(422), UploadError::Changed));
    assert!(matches!(refused(403), UploadError::Client(_)));
    let (sent, ..) = send(Known::default(), 6, 5);
    assert!(matches!(sent, Err(UploadError::Changed)), "it is shorter than it was: {sent:?}");
}
