//! Tiers and places, as tables.

use std::sync::Arc;

use super::*;
use crate::model::ProviderId;

fn offer(name: &str) -> Arc<Offer> {
    let (provider, id) = name.split_once(' ').unwrap();
    let provider = ProviderId::try_from(provider).unwrap();
    let id = ModelId::try_from(id).unwrap();
    Arc::new(Offer::at(provider, id))
}

fn q(intelligence: Option<f64>, coding: Option<f64>, agentic: Option<f64>) -> Quality {
    Quality {
        intelligence,
        coding,
        agentic,
    }
}

/// The figures of all tables: `r1` and `r2` are ranked, `r3` too, without figures.
fn quality(key: &CanonicalKey) -> Quality {
    let (lo, mid, hi) = (Some(10.0), Some(20.0), Some(30.0));
    match key.as_str() {
        "r1" => q(hi, hi, hi),
        "r2" => q(mid, lo, None),
        "best" => q(Some(40.0), None, None),
        "good" => q(Some(25.0), Some(5.0), None),
        "fair" => q(Some(22.0), Some(12.0), None),
        "worst" => q(Some(1.0), Some(1.0), Some(1.0)),
        "worse" => q(Some(2.0), Some(2.0), Some(2.0)),
        "coder" => q(None, Some(15.0), None),
        "agent" => q(None, None, Some(35.0)),
        _ => Quality::default(),
    }
}

fn told(offers: &[&str], order: &str, with_tools: bool) -> String {
    let offers: Vec<_> = offers.iter().map(|name| offer(name)).collect();
    let ranked: Vec<_> = ["r1:free", "r2:free", "r3:free", "other/r1:free"]
        .iter()
        .map(|id| (ModelId::try_from(*id).unwrap(), CanonicalKey::of(id)))
        .collect();
    let order = ModelOrder::read(order).unwrap();
    let placed = places(&offers, &ranked, &order, quality, with_tools);
    assert_eq!(placed.len(), offers.len());
    let words = placed.iter().map(|p| {
        let offer = &offers[p.at];
        let tier = match p.tier {
            Tier::Ordered(_) => "+",
            Tier::Rest => "",
            Tier::Fallback => "!",
            Tier::Local => "~",
        };
        format!("{tier}{}:{}", p.place, offer.public_id)
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn s10_3_the_rest_is_ordered_by_ranking_and_quality() {
    #[rustfmt::skip]
    let rows: &[(&[&str], &str, &str)] = &[
        // The ranking orders the models it lists at any provider; twins share their place.
        (&["openrouter r2:free", "openrouter r1:free", "openrouter r3:free"], "0:r1:free 1:r2:free 2:r3:free", "0:r1:free 1:r2:free 2:r3:free"),
        (&["openrouter r1:free", "openrouter r2:free", "groq x/r1", "ovh r1"], "0:r1:free 0:groq/x/r1 0:ovh/r1 1:r2:free", "0:r1:free 0:groq/x/r1 0:ovh/r1 1:r2:free"),
        (&["ovh r1", "openrouter r1:free"],                                    "0:ovh/r1 0:r1:free", "0:ovh/r1 0:r1:free"),
        // A ranked model that no provider offers leaves no gap.
        (&["groq r3", "groq r2"],                                              "0:groq/r2 1:groq/r3", "0:groq/r2 1:groq/r3"),
        // OpenRouter's own ids each keep their own rank.
        (&["openrouter r1:free", "openrouter other/r1:free", "openrouter r2:free"], "0:r1:free 1:r2:free 2:other/r1:free", "0:r1:free 1:r2:free 2:other/r1:free"),
        // Unranked ones come before the first ranked one that is known and lower.
        (&["openrouter r1:free", "openrouter r2:free", "a best"],              "0:a/best 1:r1:free 2:r2:free", "0:a/best 1:r1:free 2:r2:free"),
        (&["openrouter r1:free", "openrouter r2:free", "a fair"],              "0:r1:free 1:a/fair 2:r2:free", "0:r1:free 1:a/fair 2:r2:free"),
        (&["openrouter r1:free", "openrouter r2:free", "a good"],              "0:r1:free 1:a/good 2:r2:free", "0:r1:free 1:r2:free 2:a/good"),
        (&["openrouter r1:free", "openrouter r2:free", "a coder"],             "0:r1:free 1:r2:free 2:a/coder", "0:r1:free 1:a/coder 2:r2:free"),
        (&["openrouter r1:free", "openrouter r2:free", "a agent"],             "0:r1:free 1:r2:free 2:a/agent", "0:a/agent 1:r1:free 2:r2:free"),
        // Lower than all ranked ones: after these, before what is unknown.
        (&["a worst", "a nobody", "a worse", "openrouter r1:free", "openrouter r3:free"], "0:r1:free 1:r3:free 2:a/worse 3:a/worst 4:a/nobody",
                                                                                           "0:r1:free 1:r3:free 2:a/worse 3:a/worst 4:a/nobody"),
        // Within one gap the better one first.
        (&["a fair", "a good", "openrouter r1:free", "openrouter r2:free"],    "0:r1:free 1:a/good 2:a/fair 3:r2:free", "0:r1:free 1:a/fair 2:r2:free 3:a/good"),
        // Models about which nothing is known share one place.
        (&["a nobody", "b anybody", "openrouter r1:free", "b nobody"],         "0:r1:free 1:a/nobody 1:b/anybody 1:b/nobody", "0:r1:free 1:a/nobody 1:b/anybody 1:b/nobody"),
        (&["a nobody", "b anybody"],                                           "0:a/nobody 0:b/anybody", "0:a/nobody 0:b/anybody"),
        (&[],                                                                  "", ""),
    ];
    for (offers, plain, tools) in rows {
        assert_eq!(
            (told(offers, "*", false), told(offers, "*", true)),
            ((*plain).to_owned(), (*tools).to_owned())
        );
    }
}

#[test]
fn s10_3_the_users_order_first_and_the_users_machine_last() {
    let offers = [
        "openrouter r1:free",
        "openrouter r2:free",
        "groq r2",
        "groq nobody",
        "local r1",
        "local r2",
        "local zzz",
    ];
    #[rustfmt::skip]
    let rows = [
        ("*",                   "0:r1:free 1:r2:free 1:groq/r2 2:groq/nobody ~0:local/r1 ~1:local/r2 ~2:local/zzz"),
        ("nobody,*",            "+0:groq/nobody 0:r1:free 1:r2:free 1:groq/r2 ~0:local/r1 ~1:local/r2 ~2:local/zzz"),
        ("R2",                  "+0:r2:free +0:groq/r2 0:r1:free 1:groq/nobody ~0:local/r1 ~1:local/r2 ~2:local/zzz"),
        ("groq/r2,nobody",      "+0:groq/r2 +0:groq/nobody 0:r1:free 1:r2:free ~0:local/r1 ~1:local/r2 ~2:local/zzz"),
        ("groq/auto",           "+0:groq/r2 +1:groq/nobody 0:r1:free 1:r2:free ~0:local/r1 ~1:local/r2 ~2:local/zzz"),
        ("groq/n*,r*",          "+0:groq/nobody +0:r1:free +1:r2:free +1:groq/r2 ~0:local/r1 ~1:local/r2 ~2:local/zzz"),
        ("local/*",             "+0:local/r1 +1:local/r2 +2:local/zzz 0:r1:free 1:r2:free 1:groq/r2 2:groq/nobody"),
        ("local/r2,openrouter/r2:free", "+0:local/r2 +0:r2:free 0:r1:free 1:groq/r2 2:groq/nobody ~0:local/r1 ~1:local/zzz"),
        ("gone,r1:free",        "+0:r1:free 0:r2:free 0:groq/r2 1:groq/nobody ~0:local/r1 ~1:local/r2 ~2:local/zzz"),
    ];
    for (order, expected) in rows {
        assert_eq!(told(&offers, order, false), expected, "{order}");
    }
}
