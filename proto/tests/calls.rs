//! Rules of `buf.yaml` that the compiler does not know: every call has a request and a response of its own, named after it
//! (RPC_REQUEST_STANDARD_NAME, RPC_RESPONSE_STANDARD_NAME, RPC_REQUEST_RESPONSE_UNIQUE).

use billwatch_proto::DESCRIPTORS;
use prost::Message as _;
use prost_types::FileDescriptorSet;

#[test]
fn every_call_has_messages_of_its_own() {
    let files = FileDescriptorSet::decode(DESCRIPTORS).unwrap().file;
    let calls: Vec<_> = files.iter().flat_map(|file| &file.service).flat_map(|service| &service.method).collect();
    assert!(calls.len() > 30);
    for call in &calls {
        for (message, ending) in [(call.input_type(), "Request"), (call.output_type(), "Response")] {
            assert_eq!(message, format!(".billwatch.v1.{}{ending}", call.name()));
        }
    }
    let mut names: Vec<&str> = calls.iter().map(|call| call.name()).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "two calls of one name share their messages: {names:?}");
}
