//! §3: routes, keys, errors, headers.

use crate::rig::Rig;
use free_llm_proxy::simulator::Script;

#[tokio::test]
async fn s3_a_completion_is_answered_under_both_prefixes() {
    let rig = Rig::start(Script::new()).await;
    for path in ["/v1/chat/completions", "/api/v1/chat/completions"] {
        let answer = rig.post(path, &Rig::hello()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            answer.header("x-free-llm-proxy-model"),
            "inclusionai/ling-2.6-flash:free"
        );
    }
}
