//! The dice of a world: numpy's default generator, so that a seed means the same world as in the
//! study that the parameters come from, and figures can be compared seed by seed.
//!
//! PCG64 (XSL-RR) seeded by numpy's `SeedSequence`, normals by its ziggurat of 256 layers.

use std::sync::LazyLock;

#[derive(Debug)]
pub struct Dice {
    state: u128,
    increment: u128,
    /// The upper half of a draw of which the lower one was used.
    half: Option<u32>,
}

const MULTIPLIER: u128 = 0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645;

impl Dice {
    /// numpy's `default_rng([seed, of])`.
    pub fn new(seed: u32, of: u32) -> Self {
        let word = sequence([seed, of]);
        let wide = |n: usize| (u128::from(word[n]) << 64) | u128::from(word[n + 1]);
        let mut dice = Self {
            state: 0,
            increment: (wide(2) << 1) | 1,
            half: None,
        };
        dice.step();
        dice.state = dice.state.wrapping_add(wide(0));
        dice.step();
        dice
    }

    fn step(&mut self) {
        let product = self.state.wrapping_mul(MULTIPLIER);
        self.state = product.wrapping_add(self.increment);
    }

    fn word(&mut self) -> u64 {
        self.step();
        let folded = ((self.state >> 64) ^ self.state) as u64;
        folded.rotate_right((self.state >> 122) as u32)
    }

    fn half_word(&mut self) -> u32 {
        self.half.take().unwrap_or_else(|| {
            let word = self.word();
            self.half = Some((word >> 32) as u32);
            word as u32
        })
    }

    /// From 0 up to, not including, 1.
    pub fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Exponential, of mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).max(1e-9).ln()
    }

    /// From 0 up to, not including, `end` (Lemire's way).
    pub fn below(&mut self, end: u32) -> u32 {
        let least = (u32::MAX - (end - 1)) % end;
        loop {
            let product = u64::from(self.half_word()) * u64::from(end);
            if product as u32 >= least {
                return (product >> 32) as u32;
            }
        }
    }

    /// `N` different ones below `end`, in random order (Floyd's way, then a shuffle).
    pub fn sample<const N: usize>(&mut self, end: u32) -> [usize; N] {
        let mut chosen = [u32::MAX; N];
        for n in 0..N {
            let last = end - (N - n) as u32;
            let drawn = self.below(last + 1);
            chosen[n] = if chosen.contains(&drawn) { last } else { drawn };
        }
        for n in (1..N).rev() {
            chosen.swap(n, self.below(n as u32 + 1) as usize);
        }
        chosen.map(|n| n as usize)
    }

    /// One of them, by their shares, which add up to 1.
    pub fn one_of<T: Copy>(&mut self, shares: &[(T, f64)]) -> T {
        let drawn = self.unit();
        let mut sum = 0.0;
        let sums = shares.iter().map(|(_, share)| {
            sum += share;
            sum
        });
        let n = sums.take_while(|sum| *sum <= drawn).count();
        shares[n.min(shares.len() - 1)].0
    }

    /// Standard normal.
    pub fn normal(&mut self) -> f64 {
        let layers = &*LAYERS;
        loop {
            let word = self.word();
            let (layer, negative) = ((word & 0xFF) as usize, word & 0x100 != 0);
            let fraction = (word >> 9) & ((1 << 52) - 1);
            let signed = |x: f64| if negative { -x } else { x };
            let x = fraction as f64 * layers.width[layer];
            if fraction < layers.inside[layer] {
                return signed(x);
            }
            if layer == 0 {
                let x = self.tail();
                return if fraction & 0x100 != 0 { -x } else { x };
            }
            let (below, above) = (layers.height[layer], layers.height[layer - 1]);
            if (above - below) * self.unit() + below < (-0.5 * x * x).exp() {
                return signed(x);
            }
        }
    }

    fn tail(&mut self) -> f64 {
        loop {
            let x = -(-self.unit()).ln_1p() / TAIL;
            let y = -(-self.unit()).ln_1p();
            if y + y > x * x {
                return TAIL + x;
            }
        }
    }
}

/// Where the ziggurat's tail begins.
const TAIL: f64 = 3.654_152_885_361_009;

/// The area of each of its layers.
const AREA: f64 = 0.004_928_673_233_974_655;

struct Layers {
    /// A fraction of 2^52 below this lies within the next layer, too.
    inside: [u64; 256],
    /// Of the layer, for one 2^52nd.
    width: [f64; 256],
    height: [f64; 256],
}

static LAYERS: LazyLock<Layers> = LazyLock::new(|| {
    let whole = (1_u64 << 52) as f64;
    let density = |x: f64| (-0.5 * x * x).exp();
    let base = AREA / density(TAIL);
    let mut layers = Layers {
        inside: [0; 256],
        width: [base / whole; 256],
        height: [1.0; 256],
    };
    layers.inside[0] = (TAIL / base * whole) as u64;
    let mut x = TAIL;
    for n in (1..256).rev() {
        layers.width[n] = x / whole;
        layers.height[n] = density(x);
        let narrower = (-2.0 * (AREA / x + density(x)).ln()).sqrt();
        layers.inside[n] = if n == 1 {
            0
        } else {
            (narrower / x * whole) as u64
        };
        x = narrower;
    }
    layers
});

/// numpy's `SeedSequence` of these two, as four words.
fn sequence(entropy: [u32; 2]) -> [u64; 4] {
    let mut by = 0x43B0_D7E5_u32;
    let mut hash = |value: u32, times: u32| {
        let value = value ^ by;
        by = by.wrapping_mul(times);
        let value = value.wrapping_mul(by);
        value ^ (value >> 16)
    };
    let mut pool = [entropy[0], entropy[1], 0, 0].map(|word| hash(word, 0x931E_8875));
    for from in 0..4 {
        for to in (0..4).filter(|to| *to != from) {
            let hashed = hash(pool[from], 0x931E_8875).wrapping_mul(0x4973_F715);
            let mixed = pool[to].wrapping_mul(0xCA01_F9DD).wrapping_sub(hashed);
            pool[to] = mixed ^ (mixed >> 16);
        }
    }
    by = 0x8B51_F9DD;
    let mut hash = |value: u32| {
        let value = value ^ by;
        by = by.wrapping_mul(0x58F3_8DED);
        let value = value.wrapping_mul(by);
        u64::from(value ^ (value >> 16))
    };
    [0, 2, 4, 6].map(|n| {
        let low = hash(pool[n % 4]);
        low | (hash(pool[(n + 1) % 4]) << 32)
    })
}

#[test]
fn the_dice_are_numpys() {
    // What numpy 2.4 draws from `default_rng([1000, 7])`.
    let mut dice = Dice::new(1000, 7);
    let units = [(); 3].map(|()| dice.unit());
    assert_eq!(
        units,
        [0.21465180755533209, 0.866658861985103, 0.9538599625094464]
    );
    for drawn in [
        -0.3988113250362455,
        0.27977011893615167,
        -0.1591427323668617,
    ] {
        assert!((dice.normal() - drawn).abs() < 1e-12);
    }
    assert_eq!([(); 3].map(|()| dice.below(6)), [0, 3, 2]);
    assert_eq!(dice.sample(12), [2, 6, 7, 4]);
    let shares = [(0, 0.3), (1, 0.25), (2, 0.45)];
    assert_eq!([(); 3].map(|()| dice.one_of(&shares)), [2, 2, 2]);
    // And 100,000 normals, the tail among them.
    let mut dice = Dice::new(1, 2);
    let normals: Vec<f64> = (0..100_000).map(|_| dice.normal()).collect();
    let most = normals.iter().copied().fold(0.0, f64::max);
    assert!((normals.iter().sum::<f64>() - 280.1274688376576).abs() < 1e-8);
    assert!((most - 4.110483308360095).abs() < 1e-12, "{most}");
}
