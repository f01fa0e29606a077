//! Bin packing: the number of clients that queued allocations need.

/// Requests of an allocation, or free resources of a client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Room {
    pub(super) cpu_hertz: f64,
    pub(super) memory_bytes: f64,
    pub(super) disk_bytes: f64,
}

/// Clients with the same free resources.
#[derive(Clone, Copy, Debug)]
struct Clients {
    count: u64,
    free: Room,
}

impl Room {
    /// Returns whether an allocation with these requests fits.
    pub(super) fn fits(&self, ask: &Self) -> bool {
        self.times(ask) > 0
    }

    /// Returns how many allocations with these requests fit.
    fn times(&self, ask: &Self) -> u64 {
        let dimensions = [
            (self.cpu_hertz, ask.cpu_hertz),
            (self.memory_bytes, ask.memory_bytes),
            (self.disk_bytes, ask.disk_bytes),
        ];
        let needed = dimensions.into_iter().filter(|(_, ask)| *ask > 0.0);
        let times = needed.map(|(free, ask)| (free.max(0.0) / ask).floor()).fold(f64::INFINITY, f64::min);
        // An allocation without requests fits any number of times; the cast saturates.
        times as u64
    }

    /// Returns this room without these amounts of CPU, memory and disk.
    pub(super) fn without(self, [cpu, memory, disk]: [f64; 3]) -> Self {
        Self {
            cpu_hertz: self.cpu_hertz - cpu,
            memory_bytes: self.memory_bytes - memory,
            disk_bytes: self.disk_bytes - disk,
        }
    }

    fn take(&mut self, ask: &Self, times: u64) {
        let times = times as f64;
        self.cpu_hertz -= ask.cpu_hertz * times;
        self.memory_bytes -= ask.memory_bytes * times;
        self.disk_bytes -= ask.disk_bytes * times;
    }

    /// Returns the largest share of a client that this takes.
    fn share_of(&self, client: &Self) -> f64 {
        let share = |ask: f64, of: f64| if of > 0.0 { ask / of } else { 0.0 };
        share(self.cpu_hertz, client.cpu_hertz)
            .max(share(self.memory_bytes, client.memory_bytes))
            .max(share(self.disk_bytes, client.disk_bytes))
    }
}

/// Places allocations, largest first, and returns the number of additional clients of this size that the rest
/// needs. Allocations that do not fit on an empty client of this size wait for another one, and do not count.
pub(super) fn clients_missing(asks: &mut [(Room, u64)], free: &mut [Room], client: Room) -> u64 {
    asks.sort_by(|(one, _), (other, _)| other.share_of(&client).total_cmp(&one.share_of(&client)));
    let mut new: Vec<Clients> = Vec::new();
    for (ask, count) in asks.iter() {
        let mut left = *count;
        for room in free.iter_mut() {
            if left == 0 {
                break;
            }
            let times = room.times(ask).min(left);
            room.take(ask, times);
            left -= times;
        }
        if client.fits(ask) {
            add_clients(&mut new, ask, left, client);
        }
    }
    new.iter().map(|clients| clients.count).sum()
}

/// Places this number of allocations on new clients, existing ones first.
fn add_clients(new: &mut Vec<Clients>, ask: &Room, mut left: u64, client: Room) {
    for at in 0..new.len() {
        let Clients { count, mut free } = new[at];
        left = fill(new, at, ask, left, free.times(ask), count, &mut free);
    }
    while left > 0 {
        let per_client = client.times(ask).max(1);
        let count = if left >= per_client { left / per_client } else { 1 };
        let times = per_client.min(left);
        let mut free = client;
        free.take(ask, times);
        new.push(Clients { count, free });
        left -= times * count;
    }
}

/// Places allocations on clients with the same free resources, each of which has room for a number of them.
/// Returns how many are left.
fn fill(
    new: &mut Vec<Clients>,
    at: usize,
    ask: &Room,
    left: u64,
    per_client: u64,
    count: u64,
    free: &mut Room,
) -> u64 {
    if per_client == 0 || left == 0 {
        return left;
    }
    let full = (left / per_client).min(count);
    let rest = if full < count { left % per_client } else { 0 };
    let untouched = count - full - u64::from(rest > 0);
    let mut filled = *free;
    filled.take(ask, per_client);
    let mut partly = *free;
    partly.take(ask, rest);
    new[at] = Clients { count: full, free: filled };
    for (count, free) in [(u64::from(rest > 0), partly), (untouched, *free)] {
        if count > 0 {
            new.push(Clients { count, free });
        }
    }
    left - full * per_client - rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn room(cpu: u32, memory: u32) -> Room {
        Room { cpu_hertz: f64::from(cpu), memory_bytes: f64::from(memory), disk_bytes: 100.0 }
    }

    fn ask(cpu: u32, memory: u32) -> Room {
        Room { disk_bytes: 0.0, ..room(cpu, memory) }
    }

    fn missing(asks: &[(Room, u64)], free: &[Room], client: Room) -> u64 {
        clients_missing(&mut asks.to_vec(), &mut free.to_vec(), client)
    }

    #[test]
    fn allocations_are_not_divisible() {
        let client = room(10, 10);
        for (what, asks, free, expected) in [
            ("nothing waits", vec![], vec![], 0),
            ("three that take more than half each", vec![(ask(6, 1), 3)], vec![], 3),
            ("the same, with room for one", vec![(ask(6, 1), 3)], vec![room(6, 1), room(5, 10)], 2),
            ("room that no single client has", vec![(ask(6, 1), 1)], vec![room(5, 5), room(5, 5)], 1),
            ("small ones beside large ones", vec![(ask(4, 4), 3), (ask(6, 6), 3)], vec![], 3),
            ("by memory", vec![(ask(1, 5), 5)], vec![], 3),
            ("what fits no client of this size", vec![(ask(11, 1), 9)], vec![], 0),
            ("what requests nothing", vec![(ask(0, 0), 1_000)], vec![], 1),
            ("more allocated than there is", vec![(ask(1, 1), 1)], vec![room(0, 9)], 1),
            ("a million", vec![(ask(3, 3), 1_000_000)], vec![], 333_334),
        ] {
            assert_eq!(missing(&asks, &free, client), expected, "{what}");
        }
    }

    /// Reference implementation: places one allocation after the other, each on the first client with room.
    fn pack_one_by_one(asks: &[(Room, u64)], free: &[Room], client: Room) -> u64 {
        let mut sorted = asks.to_vec();
        sorted.sort_by(|(one, _), (other, _)| other.share_of(&client).total_cmp(&one.share_of(&client)));
        let mut all = free.to_vec();
        for (ask, count) in sorted {
            for _ in 0..count {
                match all.iter_mut().find(|room| room.fits(&ask)) {
                    Some(room) => room.take(&ask, 1),
                    None if client.fits(&ask) => {
                        let mut new = client;
                        new.take(&ask, 1);
                        all.push(new);
                    }
                    None => {}
                }
            }
        }
        (all.len() - free.len()) as u64
    }

    proptest! {
        #[test]
        fn packing_in_bulk_equals_packing_one_by_one(
            asks in prop::collection::vec((1_u32..12, 1_u32..12, 1_u64..20), 0..6),
            free in prop::collection::vec((0_u32..10, 0_u32..10), 0..6),
        ) {
            let asks: Vec<_> = asks.into_iter().map(|(cpu, memory, count)| (ask(cpu, memory), count)).collect();
            let free: Vec<_> = free.into_iter().map(|(cpu, memory)| room(cpu, memory)).collect();
            let (bulk, one_by_one) = (missing(&asks, &free, room(10, 10)), pack_one_by_one(&asks, &free, room(10, 10)));
            // With another order of clients, first fit may need one more or less for each size.
            prop_assert!(bulk.abs_diff(one_by_one) <= asks.len() as u64, "{bulk} and {one_by_one}");
        }
    }
}
