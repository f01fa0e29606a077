//! Bin packing: the number of clients that queued allocations need.

/// Requests of an allocation, or free resources of a client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Resources {
    pub(super) cpu_hertz: f64,
    pub(super) memory_bytes: f64,
    pub(super) disk_bytes: f64,
}

/// Clients with the same free resources.
#[derive(Clone, Copy, Debug)]
struct Clients {
    count: u64,
    free: Resources,
}

impl Resources {
    /// Returns whether an allocation with these requests fits.
    pub(super) fn fits(&self, request: &Self) -> bool {
        self.times(request) > 0
    }

    /// Returns how many allocations with these requests fit.
    fn times(&self, request: &Self) -> u64 {
        let dimensions = [
            (self.cpu_hertz, request.cpu_hertz),
            (self.memory_bytes, request.memory_bytes),
            (self.disk_bytes, request.disk_bytes),
        ];
        let needed = dimensions.into_iter().filter(|(_, request)| *request > 0.0);
        let times =
            needed.map(|(free, request)| (free.max(0.0) / request).floor()).fold(f64::INFINITY, f64::min);
        // An allocation without requests fits any number of times; the cast saturates.
        times as u64
    }

    /// Returns what is left without these amounts of CPU, memory and disk.
    pub(super) fn without(self, [cpu, memory, disk]: [f64; 3]) -> Self {
        Self {
            cpu_hertz: self.cpu_hertz - cpu,
            memory_bytes: self.memory_bytes - memory,
            disk_bytes: self.disk_bytes - disk,
        }
    }

    fn take(&mut self, request: &Self, times: u64) {
        let times = times as f64;
        self.cpu_hertz -= request.cpu_hertz * times;
        self.memory_bytes -= request.memory_bytes * times;
        self.disk_bytes -= request.disk_bytes * times;
    }

    /// Returns the largest share of a client that this takes.
    fn share_of(&self, client: &Self) -> f64 {
        let share = |request: f64, of: f64| if of > 0.0 { request / of } else { 0.0 };
        share(self.cpu_hertz, client.cpu_hertz)
            .max(share(self.memory_bytes, client.memory_bytes))
            .max(share(self.disk_bytes, client.disk_bytes))
    }
}

/// Places allocations, largest first, and returns the number of additional clients of this size that the rest
/// needs. Allocations that do not fit on an empty client of this size wait for another one, and do not count.
pub(super) fn clients_missing(
    requests: &mut [(Resources, u64)],
    free: &mut [Resources],
    client: Resources,
) -> u64 {
    requests.sort_by(|(one, _), (other, _)| other.share_of(&client).total_cmp(&one.share_of(&client)));
    let mut new: Vec<Clients> = Vec::new();
    for (request, count) in requests.iter() {
        let mut left = *count;
        for client in free.iter_mut() {
            if left == 0 {
                break;
            }
            let times = client.times(request).min(left);
            client.take(request, times);
            left -= times;
        }
        if client.fits(request) {
            add_clients(&mut new, request, left, client);
        }
    }
    new.iter().map(|clients| clients.count).sum()
}

/// Places this number of allocations on new clients, existing ones first.
fn add_clients(new: &mut Vec<Clients>, request: &Resources, mut left: u64, client: Resources) {
    for at in 0..new.len() {
        let Clients { count, mut free } = new[at];
        left = fill(new, at, request, left, free.times(request), count, &mut free);
    }
    while left > 0 {
        let per_client = client.times(request).max(1);
        let count = if left >= per_client { left / per_client } else { 1 };
        let times = per_client.min(left);
        let mut free = client;
        free.take(request, times);
        new.push(Clients { count, free });
        left -= times * count;
    }
}

/// Places allocations on clients with the same free resources, each of which has room for a number of them.
/// Returns how many are left.
fn fill(
    new: &mut Vec<Clients>,
    at: usize,
    request: &Resources,
    left: u64,
    per_client: u64,
    count: u64,
    free: &mut Resources,
) -> u64 {
    if per_client == 0 || left == 0 {
        return left;
    }
    let full = (left / per_client).min(count);
    let rest = if full < count { left % per_client } else { 0 };
    let untouched = count - full - u64::from(rest > 0);
    let mut filled = *free;
    filled.take(request, per_client);
    let mut partly = *free;
    partly.take(request, rest);
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

    fn resources(cpu: u32, memory: u32) -> Resources {
        Resources { cpu_hertz: f64::from(cpu), memory_bytes: f64::from(memory), disk_bytes: 100.0 }
    }

    fn request(cpu: u32, memory: u32) -> Resources {
        Resources { disk_bytes: 0.0, ..resources(cpu, memory) }
    }

    fn missing(requests: &[(Resources, u64)], free: &[Resources], client: Resources) -> u64 {
        clients_missing(&mut requests.to_vec(), &mut free.to_vec(), client)
    }

    #[test]
    fn allocations_are_not_divisible() {
        let client = resources(10, 10);
        for (what, requests, free, expected) in [
            ("nothing waits", vec![], vec![], 0),
            ("three that take more than half each", vec![(request(6, 1), 3)], vec![], 3),
            (
                "the same, with room for one",
                vec![(request(6, 1), 3)],
                vec![resources(6, 1), resources(5, 10)],
                2,
            ),
            (
                "room that no single client has",
                vec![(request(6, 1), 1)],
                vec![resources(5, 5), resources(5, 5)],
                1,
            ),
            ("small ones beside large ones", vec![(request(4, 4), 3), (request(6, 6), 3)], vec![], 3),
            ("by memory", vec![(request(1, 5), 5)], vec![], 3),
            ("what fits no client of this size", vec![(request(11, 1), 9)], vec![], 0),
            ("what requests nothing", vec![(request(0, 0), 1_000)], vec![], 1),
            ("more allocated than there is", vec![(request(1, 1), 1)], vec![resources(0, 9)], 1),
            ("a million", vec![(request(3, 3), 1_000_000)], vec![], 333_334),
        ] {
            assert_eq!(missing(&requests, &free, client), expected, "{what}");
        }
    }

    /// Reference implementation: places one allocation after the other, each on the first client with room.
    fn pack_one_by_one(requests: &[(Resources, u64)], free: &[Resources], client: Resources) -> u64 {
        let mut sorted = requests.to_vec();
        sorted.sort_by(|(one, _), (other, _)| other.share_of(&client).total_cmp(&one.share_of(&client)));
        let mut all = free.to_vec();
        for (request, count) in sorted {
            for _ in 0..count {
                match all.iter_mut().find(|client| client.fits(&request)) {
                    Some(client) => client.take(&request, 1),
                    None if client.fits(&request) => {
                        let mut new = client;
                        new.take(&request, 1);
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
            requests in prop::collection::vec((1_u32..12, 1_u32..12, 1_u64..20), 0..6),
            free in prop::collection::vec((0_u32..10, 0_u32..10), 0..6),
        ) {
            let requests: Vec<_> = requests.into_iter().map(|(cpu, memory, count)| (request(cpu, memory), count)).collect();
            let free: Vec<_> = free.into_iter().map(|(cpu, memory)| resources(cpu, memory)).collect();
            let (bulk, one_by_one) = (missing(&requests, &free, resources(10, 10)), pack_one_by_one(&requests, &free, resources(10, 10)));
            // With another order of clients, first fit may need one more or less for each size.
            prop_assert!(bulk.abs_diff(one_by_one) <= requests.len() as u64, "{bulk} and {one_by_one}");
        }
    }
}
