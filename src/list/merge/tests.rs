//! All lists together, and what holds whatever they contain.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::list::ToldBy;
use crate::list::provider_list::ProviderList;
use crate::model::Tier;
use crate::model::{Capabilities, Capability};
use crate::provider::{List, OfferRow};

/// 2026-10-02
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_942_400)
}

const ALL: List = List {
    url: None,
    decides: true,
    with_key: true,
    priced: false,
};

/// Providers with the ids of their lists, in order.
struct World {
    ranking: Option<Ranking>,
    catalogue: Option<Catalogue>,
    providers: Vec<(ProviderId, Option<ProviderList>)>,
    order: ModelOrder,
}

impl World {
    fn new(ranked: Option<&[&str]>, providers: &[(&str, Option<&[&str]>)]) -> Self {
        let entries = |ids: &[&str]| {
            let entries = ids.iter().enumerate();
            let entries: Vec<_> = entries
                .map(|(at, id)| format!(r#"{{"id":"{id}","rank":{at}}}"#))
                .collect();
            entries.join(",")
        };
        let ranking = ranked.map(|ids| {
            let fallback = r#""fallback":{"id":"openrouter/free"}"#;
            let body = format!(r#"{{"models":[{}],{fallback}}}"#, entries(ids));
            Ranking::read(body.as_bytes(), true).unwrap()
        });
        let list = |ids: &[&str]| {
            let body = format!(r#"{{"data":[{}]}}"#, entries(ids));
            ProviderList::read(body.as_bytes(), true, now()).unwrap()
        };
        let provider = |(name, ids): &(&str, Option<&[&str]>)| {
            (ProviderId::try_from(*name).unwrap(), ids.map(list))
        };
        Self {
            ranking,
            catalogue: None,
            providers: providers.iter().map(provider).collect(),
            order: ModelOrder::default(),
        }
    }

    fn merged(&self) -> Merged {
        let sources: Vec<_> = self
            .providers
            .iter()
            .map(|(provider, list)| Source {
                provider,
                rule: &ALL,
                row: &[],
                file: None,
                list: list.as_ref(),
                custom: false,
                named_free: false,
                lacks: Capabilities::default(),
            })
            .collect();
        merge(Lists {
            ranking: self.ranking.as_ref(),
            catalogue: self.catalogue.as_ref(),
            sources: &sources,
            order: &self.order,
            allow_paid: false,
            fallback_router: true,
        })
    }
}

fn told(merged: &Merged) -> String {
    let offers = merged.in_order(false);
    let words = offers.map(|(offer, placed)| format!("{}:{}", placed.place, offer.public_id));
    words.collect::<Vec<_>>().join(" ")
}

fn catalogue(entries: &str) -> Catalogue {
    Catalogue::read(format!(r#"{{"data":[{entries}]}}"#).as_bytes(), now()).unwrap()
}

#[test]
fn s10_3_a_single_provider_is_asked_in_the_rankings_order() {
    let ids = ["b:free", "a:free", "x/a:free", "c:free"];
    let world = World::new(Some(&ids), &[("openrouter", None)]);
    let merged = world.merged();
    assert_eq!(told(&merged), "0:b:free 1:a:free 2:x/a:free 3:c:free");
    let ranks: Vec<_> = merged.offers.iter().map(|offer| offer.rank).collect();
    assert_eq!(ranks, [Some(0), Some(1), Some(2), Some(3)]);
    let router = merged.fallback.map(|router| router.offer.id.to_string());
    assert_eq!(router.as_deref(), Some("openrouter/free"));
}

#[test]
fn s10_3_many_providers_share_one_order() {
    let mut world = World::new(
        Some(&[
            "qwen/qwen3.8-27b:free",
            "nvidia/nemotron-3-super-120b-a12b:free",
        ]),
        &[
            ("openrouter", None),
            ("groq", Some(&["openai/gpt-oss-120b", "qwen/qwen3.8-27b"])),
            ("cloudflare", Some(&["@cf/nvidia/nemotron-3-120b-a12b"])),
            ("local", Some(&["qwen3:8b"])),
        ],
    );
    assert_eq!(
        told(&world.merged()),
        "0:qwen/qwen3.8-27b:free 0:groq/qwen/qwen3.8-27b 1:nvidia/nemotron-3-super-120b-a12b:free \
         1:cloudflare/@cf/nvidia/nemotron-3-120b-a12b 2:groq/openai/gpt-oss-120b 0:local/qwen3:8b"
    );
    let rank = |merged: &Merged, id: &str| {
        let offer = merged.offers.iter().find(|o| o.public_id.as_str() == id);
        offer.unwrap().rank
    };
    assert_eq!(
        rank(
            &world.merged(),
            "cloudflare/@cf/nvidia/nemotron-3-120b-a12b"
        ),
        Some(1)
    );
    assert_eq!(rank(&world.merged(), "groq/openai/gpt-oss-120b"), None);
    // The paid row's figures place a model that the ranking does not list.
    world.catalogue = Some(catalogue(
        r#"{"id":"openai/gpt-oss-120b","benchmarks":{"artificial_analysis":{"intelligence_index":30}}},
        {"id":"nvidia/nemotron-3-super-120b-a12b","benchmarks":{"artificial_analysis":{"intelligence_index":20}}}"#,
    ));
    assert_eq!(
        told(&world.merged()),
        "0:qwen/qwen3.8-27b:free 0:groq/qwen/qwen3.8-27b 1:groq/openai/gpt-oss-120b \
         2:nvidia/nemotron-3-super-120b-a12b:free 2:cloudflare/@cf/nvidia/nemotron-3-120b-a12b 0:local/qwen3:8b"
    );
    // The order of the providers is the order of twins.
    world.providers.swap(0, 1);
    world.order = ModelOrder::read("qwen3.8-27b").unwrap();
    assert!(
        told(&world.merged())
            .starts_with("0:groq/qwen/qwen3.8-27b 0:qwen/qwen3.8-27b:free 0:groq/openai")
    );
}

#[test]
fn s10_7_the_ranking_counts_without_openrouter_and_openrouter_without_the_ranking() {
    let groq: (&str, Option<&[&str]>) =
        ("groq", Some(&["openai/gpt-oss-120b", "qwen/qwen3.8-27b"]));
    let world = World::new(Some(&["qwen/qwen3.8-27b:free"]), &[groq]);
    let merged = world.merged();
    assert_eq!(
        told(&merged),
        "0:groq/qwen/qwen3.8-27b 1:groq/openai/gpt-oss-120b"
    );
    assert_eq!(merged.fallback, None, "the router is OpenRouter's");
    let free = r#""architecture":{"output_modalities":["text"]},"pricing":{"prompt":"0"},"benchmarks":{"intelligence_index":9}"#;
    let entries = format!(
        r#"{{"id":"small:free","context_length":1,{free}}},{{"id":"large:free","context_length":2,{free}}}"#
    );
    // Alone, the second source has its own order (spec §2.3); with other providers no model is
    // ranked.
    let mut alone = World::new(None, &[("openrouter", None)]);
    alone.catalogue = Some(catalogue(&entries));
    assert_eq!(told(&alone.merged()), "0:large:free 1:small:free");
    let mut beside = World::new(None, &[("openrouter", None), groq]);
    beside.catalogue = Some(catalogue(&entries));
    assert_eq!(
        told(&beside.merged()),
        "0:large:free 1:small:free 2:groq/openai/gpt-oss-120b 2:groq/qwen/qwen3.8-27b"
    );
    assert_eq!(beside.merged().offers[0].rank, None);
    let nothing = World::new(None, &[("openrouter", None)]);
    assert_eq!(nothing.merged(), Merged::default());
}

#[test]
fn s10_7_a_list_that_was_never_read_falls_back_to_the_row() {
    let provider = ProviderId::try_from("groq").unwrap();
    let row = [OfferRow {
        id: ModelId::try_from("openai/gpt-oss-120b").unwrap(),
        context: Some(131_072),
        output: None,
        capabilities: [Capability::Tools].into_iter().collect(),
    }];
    let source = Source {
        provider: &provider,
        rule: &ALL,
        row: &row,
        file: None,
        list: None,
        custom: false,
        named_free: false,
        lacks: Capabilities::default(),
    };
    let merged = merge(Lists {
        ranking: None,
        catalogue: None,
        sources: &[source],
        order: &ModelOrder::default(),
        allow_paid: false,
        fallback_router: true,
    });
    let [offer] = merged.offers.as_slice() else {
        panic!("one offer");
    };
    assert_eq!(
        (offer.context_length, offer.max_output),
        (Some(131_072), None)
    );
    let known = merged.known[0];
    assert_eq!(
        (known.context_length, known.max_output),
        (ToldBy::Row, ToldBy::Unknown)
    );
}

fn ids() -> impl Strategy<Value = Vec<String>> {
    let id = r"(a|b|openai)?/?(gpt-oss-120b|gpt-oss:20b|r1|r2-it|x|y-instruct|gemma4:31b|Gemma-4-31B-it|z)(:free|:latest)?";
    proptest::collection::vec(id, 0..8)
}

fn figures() -> impl Strategy<Value = Vec<(String, [Option<u8>; 3])>> {
    let figures = [
        any::<Option<u8>>(),
        any::<Option<u8>>(),
        any::<Option<u8>>(),
    ];
    proptest::collection::vec(
        (
            r"(gpt-oss-120b|gpt-oss-20b|r1|r2|x|y|z|gemma4:31b)",
            figures,
        ),
        0..8,
    )
}

proptest! {
    #[test]
    fn s10_3_the_merge_is_the_same_each_time_holds_no_offer_twice_and_orders_all(
        ranked in ids(), lists in proptest::collection::vec(ids(), 0..5), figures in figures(), wishes in ids(),
    ) {
        fn borrowed(ids: &[String]) -> Vec<&str> {
            ids.iter().map(String::as_str).collect()
        }
        let names = ["openrouter", "groq", "ovh", "kilo", "local"];
        let lists: Vec<Vec<&str>> = lists.iter().map(|ids| borrowed(ids)).collect();
        let providers: Vec<(&str, Option<&[&str]>)> =
            names.into_iter().zip(&lists).map(|(name, ids)| (name, Some(ids.as_slice()))).collect();
        let ranked = borrowed(&ranked);
        let ranked = (!ranked.is_empty()).then_some(ranked.as_slice());
        let mut world = World::new(ranked, &providers);
        let number = |n: Option<u8>| n.map_or("null".to_owned(), |n| (n % 101).to_string());
        let rows: Vec<_> = figures.iter().map(|(id, [i, c, a])| format!(
            r#"{{"id":"{id}","benchmarks":{{"intelligence_index":{},"coding_index":{},"agentic_index":{}}}}}"#,
            number(*i), number(*c), number(*a),
        )).collect();
        world.catalogue = Some(catalogue(&rows.join(",")));
        world.order = ModelOrder::read(&wishes.join(",")).unwrap_or_default();

        let merged = world.merged();
        prop_assert_eq!(&merged, &world.merged());
        prop_assert_eq!(merged.known.len(), merged.offers.len());
        let once: HashSet<_> = merged.offers.iter().map(|o| (&o.provider, &o.id)).collect();
        prop_assert_eq!(once.len(), merged.offers.len());
        for order in [&merged.plain, &merged.with_tools] {
            let all: HashSet<_> = order.iter().map(|placed| placed.at).collect();
            prop_assert_eq!((all.len(), order.len()), (merged.offers.len(), merged.offers.len()));
            prop_assert!(order.iter().all(|placed| placed.at < merged.offers.len()));
            prop_assert!(order.is_sorted_by_key(|placed| (placed.tier, placed.place)));
            // Places have no gap, and each tier begins at 0.
            for pair in order.windows(2) {
                let step = pair[1].place.checked_sub(pair[0].place);
                let is_whole = if pair[0].tier == pair[1].tier { step.is_some_and(|step| step <= 1) } else { pair[1].place == 0 };
                prop_assert!(is_whole);
            }
            // Twins in the rest share a place, except OpenRouter's own ids, which the ranking lists
            // one by one.
            for a in order.iter().filter(|placed| placed.tier == Tier::Rest) {
                for b in order.iter().filter(|placed| placed.tier == Tier::Rest) {
                    let (x, y) = (&merged.offers[a.at], &merged.offers[b.at]);
                    let elsewhere = !x.provider.is_openrouter() && !y.provider.is_openrouter();
                    if elsewhere && x.canonical == y.canonical {
                        prop_assert_eq!(a.place, b.place);
                    }
                }
            }
            // The ranked models are in the ranking's order.
            let ranks = order.iter().filter(|placed| placed.tier == Tier::Rest);
            let ranks: Vec<_> = ranks.filter_map(|placed| merged.offers[placed.at].rank).collect();
            prop_assert!(ranks.is_sorted(), "{:?}", ranks);
        }
    }
}
