//! How many calls ARM still lets through: a model of one of its token buckets (ARM reference, section 7), corrected by
//! every answer. Pure: the time is passed in.

use std::time::{Duration, Instant};

use super::lane::CallKind;

/// Calls under way while ARM has not yet said how full the bucket is: a restarted operator may meet an empty one.
const SCOUTS: usize = 4;
/// Longest wait that is believed of a 429.
const LONGEST_HOLD: Duration = Duration::from_hours(1);
/// How long to hold back after a 429 that does not say.
const UNSAID_HOLD: Duration = Duration::from_secs(5);
/// A refill rate is learned once the calls whose order is unknown make up no more than this part of it.
const CERTAINTY: f64 = 0.1;
/// A learned rate stays within so many times the documented one, up and down.
const RATE_SPAN: f64 = 100.0;
/// The part of the rate that is counted on between answers, once it was measured and before. It may be lower than thought;
/// where there is more after all, the next answer shows it.
const COUNTED_ON: (f64, f64) = (0.85, 0.4);
/// How much of the way back to the documented rate each answer of a full bucket is.
const RECOVERY: f64 = 0.1;
/// What a 429 leaves of the rate: it was not as thought.
const SLOWER: f64 = 0.8;
/// 429s alone do not bring the rate further below the documented one than this many times.
const SLOWEST: f64 = 10.0;
/// Most that is kept in reserve, in calls.
const LARGEST_RESERVE: f64 = 50.0;
/// From this part of its size on, a bucket is not believed to be the cause of a 429 that does not say so.
const FULL_ENOUGH: f64 = 0.25;
/// How much of the difference to the last measurement a learned rate takes over.
const SMOOTHING: f64 = 0.5;

/// What an answer says is left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Remaining {
    /// In this identity's own bucket.
    pub own: f64,
    /// In the bucket that all callers of the subscription share, where the answer tells.
    pub shared: Option<f64>,
}

/// A call that was let through and is not settled yet.
#[derive(Debug, PartialEq, Eq)]
pub struct Ticket {
    number: u64,
    sent: Instant,
    /// Others that were under way when this one was sent.
    beside: u32,
}

/// A point from which the refill rate is measured.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Instant,
    remaining: f64,
    number: u64,
    beside: u32,
    /// How long the answer took: when in it ARM counted is not known.
    trip: Duration,
}

/// The model of one bucket. It errs towards too few calls: believed is only what an answer has shown.
#[derive(Debug)]
pub struct Bucket {
    documented_rate: f64,
    capacity: f64,
    rate: f64,
    tokens: f64,
    at: Instant,
    /// ARM has answered: the number of tokens is no guess.
    known: bool,
    /// It was empty, and nothing was heard since: a few calls find out how full it is.
    scouting: bool,
    rate_known: bool,
    held_until: Option<Instant>,
    sent: u64,
    under_way: u32,
    mark: Option<Mark>,
}

impl Bucket {
    /// A bucket as documented, about which nothing is known yet.
    #[must_use]
    pub fn new(kind: CallKind, now: Instant) -> Self {
        // FACT: reads 250 with 25/s, writes and deletes 200 with 10/s (ARM reference, section 7).
        let (capacity, rate) = match kind {
            CallKind::Read => (250.0, 25.0),
            CallKind::Write | CallKind::Delete => (200.0, 10.0),
        };
        Self {
            documented_rate: rate,
            capacity,
            rate,
            tokens: capacity,
            at: now,
            known: false,
            scouting: true,
            rate_known: false,
            held_until: None,
            sent: 0,
            under_way: 0,
            mark: None,
        }
    }

    /// How long until so many calls could be sent, one after the other; `None` where only an answer can tell.
    #[must_use]
    pub fn wait_for(&self, calls: usize, now: Instant) -> Option<Duration> {
        let held = self.held_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        if self.scouting {
            return (self.under_way as usize + calls <= SCOUTS).then_some(held);
        }
        let calls = f64::from(u32::try_from(calls).unwrap_or(u32::MAX));
        let missing = calls + self.reserve() - self.tokens_at(now);
        let refill = Duration::try_from_secs_f64(missing.max(0.0) / self.expected_rate()).unwrap_or(LONGEST_HOLD);
        Some(held.max(refill))
    }

    /// Takes a token for a call that is about to be sent, whether there is one or not.
    pub fn take(&mut self, now: Instant) -> Ticket {
        self.advance(now);
        self.tokens -= 1.0;
        self.sent += 1;
        let ticket = Ticket { number: self.sent, sent: now, beside: self.under_way };
        self.under_way += 1;
        ticket
    }

    /// The call was not sent after all.
    pub fn give_back(&mut self, ticket: &Ticket, now: Instant) {
        self.unanswered(ticket);
        self.advance(now);
        self.tokens = (self.tokens + 1.0).min(self.capacity);
    }

    /// The call got no answer: ARM may have counted it or not.
    pub fn unanswered(&mut self, _ticket: &Ticket) {
        self.under_way = self.under_way.saturating_sub(1);
        self.mark = None;
    }

    /// The call was answered; without `remaining`, by something that does not tell.
    pub fn answered(&mut self, ticket: &Ticket, remaining: Option<Remaining>, now: Instant) {
        self.under_way = self.under_way.saturating_sub(1);
        self.scouting = false;
        self.advance(now);
        let Some(Remaining { own, shared }) = remaining else {
            self.known = true;
            return;
        };
        if !self.known {
            self.known = true;
            self.capacity = own + 1.0;
        }
        self.capacity = self.capacity.max(own + 1.0);
        let left = shared.map_or(own, |shared| shared.min(own));
        // ARM counted this call somewhere between its sending and now, and others may have come before it or after it:
        // the truth lies between two bounds, and what was thought is kept where it lies there too.
        let after = f64::from(ticket.beside) + count(self.sent - ticket.number);
        let most = left + self.rate * now.saturating_duration_since(ticket.sent).as_secs_f64();
        self.tokens = self.tokens.max(left - after).min(most).min(self.capacity);
        self.learn(ticket, own, left < own, now);
    }

    /// The answer was 429. Where the bucket is empty, nothing is sent before ARM says so. FACT: resource providers add 429s
    /// of their own (ARM reference, section 7): those concern nobody but the caller.
    pub fn refused(
        &mut self,
        ticket: &Ticket,
        remaining: Option<Remaining>,
        retry_after: Option<Duration>,
        now: Instant,
    ) {
        if remaining.is_some_and(|left| left.own >= 1.0 && left.shared.is_none_or(|shared| shared >= 1.0)) {
            return self.answered(ticket, remaining, now);
        }
        self.unanswered(ticket);
        self.advance(now);
        // Without a word about what is left, a bucket that was thought to be full is doubted only by and by.
        if remaining.is_none() && self.known && self.tokens > self.capacity * FULL_ENOUGH {
            self.tokens /= 2.0;
            return;
        }
        self.known = true;
        self.scouting = true;
        self.tokens = self.tokens.min(0.0);
        if self.held_until.is_none_or(|until| until <= now) {
            self.rate = (self.rate * SLOWER).max(self.documented_rate / SLOWEST);
        }
        let until = now + retry_after.unwrap_or(UNSAID_HOLD).min(LONGEST_HOLD);
        self.held_until = self.held_until.max(Some(until));
    }

    /// Tokens left, for a person to see.
    #[must_use]
    pub fn tokens_at(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        (self.tokens + passed * self.expected_rate()).min(self.capacity)
    }

    /// Tokens a second, as far as is known.
    #[must_use]
    pub const fn rate(&self) -> f64 {
        self.rate
    }

    /// How many calls fit at once, as far as was seen.
    #[must_use]
    pub const fn capacity(&self) -> f64 {
        self.capacity
    }

    fn expected_rate(&self) -> f64 {
        self.rate * if self.rate_known { COUNTED_ON.0 } else { COUNTED_ON.1 }
    }

    /// Kept for what the model does not know: other callers, and a rate that is lower than thought.
    fn reserve(&self) -> f64 {
        let part = if self.rate_known { (self.capacity * 0.05).max(2.0) } else { self.capacity * 0.33 };
        part.min(LARGEST_RESERVE).min(self.capacity - 1.0)
    }

    fn advance(&mut self, now: Instant) {
        self.tokens = self.tokens_at(now);
        self.at = self.at.max(now);
    }

    /// Between two answers, the bucket was refilled by what is left more, and by what was taken. A full bucket spills, and
    /// one that others empty says nothing.
    fn learn(&mut self, ticket: &Ticket, own: f64, shared_is_short: bool, now: Instant) {
        if own > self.capacity * 0.9 || shared_is_short {
            // A bucket that stays full is refilled at least as fast as documented, for all that is known.
            if !shared_is_short && self.rate < self.documented_rate {
                self.rate += (self.documented_rate - self.rate) * RECOVERY;
            }
            self.mark = None;
            return;
        }
        let trip = now.saturating_duration_since(ticket.sent);
        let here = Mark { at: now, remaining: own, number: ticket.number, beside: ticket.beside, trip };
        let Some(mark) = self.mark else {
            self.mark = Some(here);
            return;
        };
        if here.number <= mark.number {
            return;
        }
        let seconds = here.at.saturating_duration_since(mark.at).as_secs_f64();
        let refilled = here.remaining - mark.remaining + count(here.number - mark.number);
        if refilled <= 0.0 {
            // Others empty it.
            self.mark = None;
            return;
        }
        let measured = refilled / seconds.max(0.001);
        let of_time = (mark.trip + here.trip).as_secs_f64() * measured.max(0.0);
        let doubt = 2.0 + f64::from(mark.beside) + f64::from(here.beside) + of_time;
        if doubt / seconds.max(0.001) > CERTAINTY * measured.max(self.rate) {
            return;
        }
        let measured = measured.clamp(self.documented_rate / RATE_SPAN, self.documented_rate * RATE_SPAN);
        let weight = if self.rate_known { SMOOTHING } else { 1.0 };
        self.rate += (measured - self.rate) * weight;
        self.rate_known = true;
        self.mark = Some(here);
    }
}

#[expect(clippy::cast_precision_loss, reason = "differences of counters, far below 2^52")]
fn count(calls: u64) -> f64 {
    calls as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ARM's side of the bucket.
    struct Arm {
        tokens: f64,
        capacity: f64,
        rate: f64,
        at: Instant,
        refusals: u32,
    }

    impl Arm {
        fn full(capacity: f64, rate: f64, at: Instant) -> Self {
            Self { tokens: capacity, capacity, rate, at, refusals: 0 }
        }

        fn take(&mut self, now: Instant) -> Option<Remaining> {
            let passed = now.duration_since(self.at).as_secs_f64();
            self.tokens = (self.tokens + passed * self.rate).min(self.capacity);
            self.at = now;
            if self.tokens < 1.0 {
                self.refusals += 1;
                return None;
            }
            self.tokens -= 1.0;
            Some(Remaining { own: self.tokens.floor(), shared: Some(9999.0) })
        }
    }

    /// A call under way: when ARM counts it, when its answer is here, and what it says.
    struct Call {
        counted: Option<Instant>,
        answered: Instant,
        ticket: Ticket,
        answer: Option<Remaining>,
    }

    /// Sends as fast as the model allows for a while. Gives the number of calls.
    fn run(bucket: &mut Bucket, arm: &mut Arm, start: Instant, lasts: Duration, trip: impl Fn(u32) -> Duration) -> u32 {
        let (mut now, mut calls, mut open) = (start, 0, Vec::<Call>::new());
        while now < start + lasts {
            for call in &mut open {
                if call.counted.take_if(|at| *at <= now).is_some() {
                    call.answer = arm.take(now);
                }
            }
            let (ended, still) = open.into_iter().partition(|call| call.answered <= now);
            open = still;
            for Call { ticket, answer, .. } in ended {
                match answer {
                    None => bucket.refused(&ticket, None, Some(Duration::from_secs(1)), now),
                    remaining => bucket.answered(&ticket, remaining, now),
                }
            }
            while bucket.wait_for(1, now) == Some(Duration::ZERO) {
                let takes = trip(calls);
                let ticket = bucket.take(now);
                open.push(Call { counted: Some(now + takes / 2), answered: now + takes, ticket, answer: None });
                calls += 1;
            }
            now += Duration::from_millis(1);
        }
        calls
    }

    /// Every answer takes as long.
    const TRIP: fn(u32) -> Duration = |_| Duration::from_millis(20);

    fn new(now: Instant) -> Bucket {
        Bucket::new(CallKind::Read, now)
    }

    #[test]
    fn a_full_bucket_is_used_and_then_its_refill_without_one_refusal() {
        let start = Instant::now();
        let (mut bucket, mut arm) = (new(start), Arm::full(250.0, 25.0, start));
        let calls = run(&mut bucket, &mut arm, start, Duration::from_secs(40), TRIP);
        assert_eq!(arm.refusals, 0);
        assert!(f64::from(calls) > 0.95 * (250.0 + 40.0 * 25.0), "{calls}");
    }

    #[test]
    fn a_faster_refill_is_learned() {
        let start = Instant::now();
        let (mut bucket, mut arm) = (new(start), Arm::full(250.0, 125.0, start));
        let calls = run(&mut bucket, &mut arm, start, Duration::from_secs(20), TRIP);
        assert_eq!(arm.refusals, 0);
        assert!(f64::from(calls) > 0.95 * (250.0 + 20.0 * 125.0), "{calls}");
        assert!((bucket.rate() - 125.0).abs() < 15.0, "{}", bucket.rate());
    }

    #[test]
    fn a_small_bucket_with_a_slow_refill_is_learned_without_a_refusal() {
        let start = Instant::now();
        let (mut bucket, mut arm) = (new(start), Arm::full(20.0, 5.0, start));
        let calls = run(&mut bucket, &mut arm, start, Duration::from_mins(1), TRIP);
        assert_eq!(arm.refusals, 0);
        assert!((bucket.rate() - 5.0).abs() < 1.0, "{}", bucket.rate());
        assert!(f64::from(calls) > 0.9 * (20.0 + 60.0 * 5.0), "{calls}");
        // A rest does not make it larger than it is.
        run(&mut bucket, &mut arm, start + Duration::from_mins(10), Duration::from_secs(20), TRIP);
        assert_eq!(arm.refusals, 0);
    }

    #[test]
    fn answers_that_take_now_long_now_short_do_not_mislead() {
        let start = Instant::now();
        let (mut bucket, mut arm) = (new(start), Arm::full(20.0, 12.0, start));
        let trip = |call: u32| Duration::from_millis(10 + u64::from(call) * 7919 % 700);
        run(&mut bucket, &mut arm, start, Duration::from_mins(2), trip);
        assert_eq!(arm.refusals, 0);
        assert!((bucket.rate() - 12.0).abs() < 3.0, "{}", bucket.rate());
    }

    #[test]
    fn an_operator_that_starts_at_an_empty_bucket_asks_before_it_believes() {
        let start = Instant::now();
        let (mut bucket, mut arm) = (new(start), Arm::full(250.0, 25.0, start));
        arm.tokens = 10.0;
        run(&mut bucket, &mut arm, start, Duration::from_secs(30), TRIP);
        assert_eq!(arm.refusals, 0);
        assert!(bucket.capacity() < 100.0, "more is believed than was seen: {}", bucket.capacity());
    }

    #[test]
    fn answers_out_of_order_do_not_raise_what_is_left() {
        let start = Instant::now();
        let mut bucket = new(start);
        let (first, second) = (bucket.take(start), bucket.take(start));
        let left = |own| Some(Remaining { own, shared: None });
        bucket.answered(&second, left(98.0), start);
        bucket.answered(&first, left(99.0), start);
        assert!(bucket.tokens_at(start) <= 99.0, "{}", bucket.tokens_at(start));
        let third = bucket.take(start);
        assert!(bucket.tokens_at(start) <= 98.0);
        bucket.answered(&third, left(50.0), start);
        assert!(bucket.tokens_at(start) <= 51.0, "somebody else takes from it too");
    }

    #[test]
    fn a_refusal_holds_everything_for_as_long_as_it_says() {
        let start = Instant::now();
        let mut bucket = new(start);
        let ticket = bucket.take(start);
        bucket.refused(&ticket, None, Some(Duration::from_secs(17)), start);
        assert!(bucket.wait_for(1, start).unwrap() >= Duration::from_secs(17));
        let unsaid = bucket.take(start);
        bucket.refused(&unsaid, None, None, start);
        assert!(bucket.wait_for(1, start).unwrap() >= Duration::from_secs(17), "the longer wait counts");
    }

    #[test]
    fn after_a_refusal_a_few_calls_find_out_how_full_a_large_bucket_is() {
        let start = Instant::now();
        let mut bucket = new(start);
        let left = |own| Some(Remaining { own, shared: None });
        let first = bucket.take(start);
        bucket.answered(&first, left(1_000_000.0), start);
        let second = bucket.take(start);
        bucket.refused(&second, left(0.0), Some(Duration::from_secs(1)), start);
        let later = start + Duration::from_secs(1);
        let scouts: Vec<Ticket> = (0..SCOUTS)
            .map(|_| {
                assert_eq!(bucket.wait_for(1, later), Some(Duration::ZERO));
                bucket.take(later)
            })
            .collect();
        assert_eq!(bucket.wait_for(1, later), None, "more than a few");
        bucket.answered(&scouts[0], left(900_000.0), later);
        assert_eq!(bucket.wait_for(1000, later), Some(Duration::ZERO));
    }

    #[test]
    fn what_a_resource_provider_refuses_holds_up_nobody_else() {
        let start = Instant::now();
        let mut bucket = new(start);
        let left = |own| Some(Remaining { own, shared: Some(900.0) });
        for remaining in [left(200.0), None] {
            let ticket = bucket.take(start);
            bucket.answered(&ticket, left(201.0), start);
            let ticket = bucket.take(start);
            bucket.refused(&ticket, remaining, Some(Duration::from_mins(1)), start);
            assert_eq!(bucket.wait_for(1, start), Some(Duration::ZERO), "{remaining:?}");
        }
    }

    #[test]
    fn refusals_that_do_not_say_why_are_believed_in_the_end() {
        let start = Instant::now();
        let mut bucket = new(start);
        let ticket = bucket.take(start);
        bucket.answered(&ticket, Some(Remaining { own: 249.0, shared: None }), start);
        for _ in 0..4 {
            let ticket = bucket.take(start);
            bucket.refused(&ticket, None, Some(Duration::from_secs(17)), start);
        }
        assert!(bucket.wait_for(1, start).unwrap() >= Duration::from_secs(17));
    }

    #[test]
    fn what_all_callers_share_counts_where_it_is_lower() {
        let start = Instant::now();
        let mut bucket = new(start);
        let ticket = bucket.take(start);
        bucket.answered(&ticket, Some(Remaining { own: 240.0, shared: Some(3.0) }), start);
        assert!(bucket.tokens_at(start) <= 4.0);
    }

    #[test]
    fn a_call_that_was_not_sent_costs_nothing() {
        let start = Instant::now();
        let mut bucket = new(start);
        let before = bucket.tokens_at(start);
        let ticket = bucket.take(start);
        bucket.give_back(&ticket, start);
        assert!((bucket.tokens_at(start) - before).abs() < f64::EPSILON);
    }
}
