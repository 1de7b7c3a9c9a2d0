//! Draws a fleet: organisations, their servers, when each was patched, who came, and which scenario that makes.
//!
//! Nothing is written here; the same options draw the same fleet.

use super::curve::{Curve, rank};
use super::data::{self, Country, Group, Intrusion, Sector, Size, Tables, Wave, Weighted};
use super::rehearse::{fitting, rehearse};
use super::{FleetError, FleetOptions, FleetScenario};
use crate::moment::{DAY, HOUR, MINUTE, Moment, SECOND};
use crate::random::Random;
use crate::truth::Organisation;
use crate::{
    ContainerKind, Options, Patching, Source, Withheld, actors, scenarios, showcase, summary,
};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Windows takes no more for a computer's name.
const HOST_NAME_CHARACTERS_MAX: usize = 15;

/// Time that the update takes, and that must have passed before evidence shows it.
const PATCHING: i64 = 6 * HOUR;

/// More groups than this on one server make a story longer, not other.
const GROUPS_MAX: usize = 3;

/// A fleet as it is drawn, before its evidence is written.
#[derive(Clone, Debug)]
pub struct Fleet {
    pub organisations: Vec<Organisation>,
    pub hosts: Vec<FleetHost>,
}

/// One server of a fleet.
#[derive(Clone, Debug)]
pub struct FleetHost {
    /// What [`make_host`](crate::make_host) is asked for.
    pub options: Options,
    /// The id of its organisation.
    pub organisation: String,
    pub sector: String,
    pub container: ContainerKind,
    /// When its owner patches it or, as the published figures count both alike, mitigates the weakness, be it after the
    /// evidence is collected; absent where that never happens.
    pub patched: Option<Timestamp>,
    /// Who broke in, with the time of the first trace.
    pub visits: Vec<Visit>,
}

/// A group breaks into a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    pub time: Timestamp,
    /// The wave of the campaign in which it happens.
    pub wave: String,
    pub group: String,
}

/// Draws the fleet of these options.
///
/// # Errors
/// When no host or an unknown scenario is asked for.
pub fn draw_fleet(options: &FleetOptions) -> Result<Fleet, FleetError> {
    if options.hosts == 0 {
        return Err(FleetError::NoHosts);
    }
    if options.containers.is_empty() {
        return Err(FleetError::NoContainer);
    }
    if let FleetScenario::Named(name) = &options.scenario {
        for part in name.split('+') {
            summary(part)?;
        }
    }
    let tables = Tables::new()?;
    let draw = Draw {
        options,
        curve: Curve::published()?,
        mean_tilt: mean_tilt(&tables),
        tables: &tables,
    };
    draw.fleet()
}

/// What drawing needs to know.
struct Draw<'a> {
    options: &'a FleetOptions,
    tables: &'a Tables,
    curve: Curve,
    mean_tilt: i64,
}

/// An organisation while its servers are drawn.
struct Owner<'a> {
    truth: Organisation,
    /// Its domain without `.example`, and its `NetBIOS` name.
    domain: (String, String),
    sector: &'a Sector,
    country: &'a Country,
    tilt: i64,
    patched: Option<Moment>,
    visits: Vec<Visit>,
    /// What its servers are called.
    pattern: String,
    random: Random,
}

/// Names that have been given.
#[derive(Default)]
struct Taken {
    organisations: BTreeSet<String>,
    hosts: BTreeSet<String>,
}

impl Draw<'_> {
    fn fleet(&self) -> Result<Fleet, FleetError> {
        let mut taken = Taken::default();
        let mut fleet = Fleet {
            organisations: Vec::new(),
            hosts: Vec::new(),
        };
        while fleet.hosts.len() < self.options.hosts {
            let (mut owner, servers) = self.owner(fleet.organisations.len(), &mut taken);
            let wanted = self.options.hosts - fleet.hosts.len();
            for number in 0..servers.min(wanted) {
                let name = host_name(&owner, number, &mut taken.hosts);
                let host = self.host(&mut owner, number, name, fleet.hosts.len())?;
                fleet.hosts.push(host);
            }
            fleet.organisations.push(owner.truth);
        }
        Ok(fleet)
    }

    /// The organisation of that number, and how many servers it has.
    fn owner(&self, number: usize, taken: &mut Taken) -> (Owner<'_>, usize) {
        let mut random = self.random("fleet organisation", number);
        let tables = self.tables;
        let size = one_of(&mut random, &tables.sizes.rows);
        let sector = one_of(&mut random, &tables.sectors.rows);
        let country = one_of(&mut random, &tables.countries.rows);
        let name = organisation_name(tables, sector, &mut random, &mut taken.organisations);
        let tilt = tilt(size, sector, country);
        let rank = rank(&mut random, tilt, self.mean_tilt);
        let patched = self.at_an_hour(self.curve.patched(rank), country, &mut random);
        let (few, many) = size.servers;
        let servers = usize::try_from(random.between(few, many)).unwrap_or(1);
        let netbios: String = name
            .replace('-', "")
            .to_uppercase()
            .chars()
            .take(12)
            .collect();
        let truth = Organisation {
            id: format!("org-{:04}", number + 1),
            name: title(&name),
            sector: sector.name.clone(),
            country: country.code.clone(),
            employees: employees(size, &mut random),
            hosts: Vec::new(),
        };
        let visits = self.visits(sector, patched, &mut random);
        let pattern = random.pick(&tables.names.hosts).clone();
        let owner = Owner {
            truth,
            domain: (name, netbios),
            sector,
            country,
            tilt,
            patched,
            visits,
            pattern,
            random,
        };
        (owner, servers)
    }

    fn host(
        &self,
        owner: &mut Owner<'_>,
        number: usize,
        name: String,
        index: usize,
    ) -> Result<FleetHost, FleetError> {
        let mut random = self.random("fleet host", index);
        let patched = self.server_patched(owner, number);
        let visits = match patched {
            // A server that its owner forgot meets those who come later, too.
            later if later != owner.patched && number > 0 => {
                self.visits(owner.sector, later, &mut random)
            }
            _ => self.shared_visits(owner, number, &mut random),
        };
        owner.truth.hosts.push(name.clone());
        let all = scenarios();
        let scenario = match &self.options.scenario {
            // What it will be is drawn below.
            FleetScenario::Campaign => showcase(),
            FleetScenario::Every => all[index % all.len()],
            FleetScenario::Named(name) => name.as_str(),
        };
        let mut options = Options {
            organisation: Some(owner.domain.clone()),
            country: Some(owner.country.code.clone()),
            host: Some(name),
            text_bytes: self.options.text_bytes,
            probe_minutes: self.options.probe_minutes,
            withhold: self.options.withhold.clone(),
            // Numbers that JSON readers keep whole.
            ..Options::new(scenario, random.next_u64() >> 12)
        };
        let visits = match &self.options.scenario {
            FleetScenario::Campaign => {
                options.end = self.collected(patched, &mut random).timestamp();
                self.live_through(&mut options, patched, visits, &mut random)?
            }
            FleetScenario::Every | FleetScenario::Named(_) => Vec::new(),
        };
        let containers = &self.options.containers;
        Ok(FleetHost {
            options,
            organisation: owner.truth.id.clone(),
            sector: owner.sector.name.clone(),
            container: containers[index % containers.len()],
            patched: patched.map(Moment::timestamp),
            visits,
        })
    }

    fn random(&self, label: &str, number: usize) -> Random {
        let number = u64::try_from(number).expect("a count fits 64 bits");
        Random::new(self.options.seed, label, number)
    }

    /// The server of that number is patched after those before it, or on a date of its own.
    fn server_patched(&self, owner: &mut Owner<'_>, number: usize) -> Option<Moment> {
        let patching = &self.tables.patching;
        let own_date = owner.random.below(10_000) < patching.own_date_per_10000;
        let own_rank = rank(&mut owner.random, owner.tilt, self.mean_tilt);
        let own = self.curve.patched(own_rank);
        let own = self.at_an_hour(own, owner.country, &mut owner.random);
        let (least, most) = patching.minutes_between_servers;
        let pause = owner.random.between(least, most) * MINUTE;
        let turn = i64::try_from(number).unwrap_or(0);
        if number > 0 && own_date {
            own
        } else {
            owner.patched.map(|time| time.after(turn * pause))
        }
    }

    /// The same day at an hour at which people patch.
    fn at_an_hour(
        &self,
        time: Option<Moment>,
        country: &Country,
        random: &mut Random,
    ) -> Option<Moment> {
        let hours = one_of(random, &self.tables.patching.hours);
        let local = random.between(hours.from * HOUR, hours.until * HOUR - 1);
        let time = time?;
        let day = time.after(country.utc_offset_minutes * MINUTE).day_start();
        let at = day.after(local - country.utc_offset_minutes * MINUTE);
        // Nobody could patch before the update came out.
        Some(if at < self.curve.released() { time } else { at })
    }

    /// Who breaks in before the server is patched: each day by the rate of its wave.
    fn visits(&self, sector: &Sector, patched: Option<Moment>, random: &mut Random) -> Vec<Visit> {
        let latest = Moment::from(self.tables.collected.latest);
        let until = patched.unwrap_or(latest).min(latest);
        let mut visits = Vec::new();
        for wave in &self.tables.waves.rows {
            let per_million = if sector.targeted {
                wave.targeted_per_million_a_day
            } else {
                wave.per_million_a_day
            };
            let mut day = Moment::from(wave.from);
            while day < Moment::from(wave.until) {
                // Both are drawn in any case, so that a later patch only adds visits.
                let times = if visits.is_empty() {
                    1
                } else {
                    self.tables.again.times_as_often
                };
                let comes = random.below(1_000_000) < per_million * times;
                let visit = self.visit(wave, day, random);
                visits.extend(visit.filter(|visit| comes && Moment::from(visit.time) < until));
                day = day.after(DAY);
            }
        }
        visits
    }

    /// A group of the wave comes on that day, in its working hours; none where all who could have the day off.
    fn visit(&self, wave: &Wave, day: Moment, random: &mut Random) -> Option<Visit> {
        let weekend = day.weekday() >= 5;
        let at_work = self.tables.groups.rows.iter().filter(|group| {
            wave.kinds.contains(&group.kind)
                && Moment::from(group.since) <= day
                && (group.weekends || !weekend)
        });
        let group = data::draw(random, at_work);
        let share = i64::try_from(random.below(1_000_000)).expect("below a million");
        let group = group?;
        let (from, until) = group.hours;
        let second = from * 3_600 + (until - from) * 3_600 * share / 1_000_000;
        Some(Visit {
            time: day.after(second * SECOND).timestamp(),
            wave: wave.name.clone(),
            group: group.name.clone(),
        })
    }

    /// Who found the organisation's first server finds most of the others, a little later.
    fn shared_visits(&self, owner: &Owner<'_>, number: usize, random: &mut Random) -> Vec<Visit> {
        let mut visits = owner.visits.clone();
        if number > 0 {
            visits.retain_mut(|visit| {
                let later = random.between(2, 45) * MINUTE;
                visit.time = Moment::from(visit.time).after(later).timestamp();
                self.tables.siblings.happens(random)
            });
        }
        visits
    }

    fn collected(&self, patched: Option<Moment>, random: &mut Random) -> Moment {
        let collected = &self.tables.collected;
        let (earliest, latest): (Moment, Moment) =
            (collected.earliest.into(), collected.latest.into());
        let (least, most) = collected.days_after_patch;
        let days = random.between(least * DAY, most * DAY);
        let whenever = Moment(random.between(earliest.0, latest.0));
        match patched {
            Some(patched) if patched < latest => patched.max(earliest).after(days).min(latest),
            _ => whenever,
        }
    }

    /// Sets the scenario that fits what befell the server, and its times; gives back the visits that came to something.
    fn live_through(
        &self,
        options: &mut Options,
        patched: Option<Moment>,
        visits: Vec<Visit>,
        random: &mut Random,
    ) -> Result<Vec<Visit>, FleetError> {
        let no_exchange = &self.tables.no_exchange;
        if random.below(10_000) < no_exchange.per_10000 {
            options.scenario.clone_from(&no_exchange.scenario);
            return Ok(Vec::new());
        }
        let end = Moment::from(options.end);
        let installed = patched.filter(|patched| patched.after(PATCHING) < end);
        options.patching = installed.map_or(Patching::Never, |time| Patching::At(time.timestamp()));
        let retention = one_of(random, &self.tables.retention.rows);
        options.retention_days.clone_from(&retention.days);
        self.lose(options, random);
        // Who comes after the evidence was collected leaves nothing in it.
        let visits = visits.into_iter();
        let visits = visits.filter(|visit| visit.time < options.end).collect();
        let visits = self.intrude(options, visits, random)?;
        if visits.is_empty() {
            self.leave_in_peace(options, installed, random)?;
        }
        Ok(visits)
    }

    /// Now and then a few days of logs are lost.
    fn lose(&self, options: &mut Options, random: &mut Random) {
        let holes = &self.tables.holes;
        let (least, most) = holes.days;
        let days = random.between(least, most);
        let end = Moment::from(options.end).after(-days * DAY);
        let from = Moment(random.between(Moment::from(holes.earliest).0, end.0));
        if random.below(10_000) < holes.per_10000 {
            let span = (from.timestamp(), from.after(days * DAY).timestamp());
            let lost = |source: &Source| Withheld::span(*source, span.0, span.1);
            options.withhold.extend(holes.sources.iter().map(lost));
        }
    }

    /// What the groups that came did, as far as there was time for it before the patch and the collection.
    fn intrude(
        &self,
        options: &mut Options,
        visits: Vec<Visit>,
        random: &mut Random,
    ) -> Result<Vec<Visit>, FleetError> {
        let mut left: Vec<Visit> = Vec::new();
        for visit in visits {
            let known = left.iter().any(|other| other.group == visit.group);
            if !known && left.len() < GROUPS_MAX {
                left.push(visit);
            }
        }
        let mut came: Vec<Visit> = Vec::new();
        while !left.is_empty() {
            let mut choices: Vec<&Intrusion> = self.tables.intrusions.rows.iter().collect();
            choices.retain(|intrusion| self.is_for(intrusion, &left));
            let mut played = 1;
            // The likeliest choice may take longer than there was time; another may not.
            while let Some(choice) = data::draw(random, choices.iter().copied()) {
                let players = &left[..choice.groups];
                let first = came.is_empty();
                if let Some((tried, seen)) = self.intruded(options, choice, players, first)? {
                    *options = tried;
                    came.extend(seen);
                    played = choice.groups;
                    break;
                }
                choices.retain(|other| other.scenario != choice.scenario);
            }
            left.drain(..played);
        }
        Ok(came)
    }

    /// Whether the next groups would do this.
    fn is_for(&self, intrusion: &Intrusion, next: &[Visit]) -> bool {
        let Some(players) = next.get(..intrusion.groups) else {
            return false;
        };
        players.iter().all(|visit| {
            let wave = intrusion.waves.is_empty() || intrusion.waves.contains(&visit.wave);
            wave && intrusion.kinds.contains(&self.group(&visit.group).kind)
        })
    }

    /// The options with this intrusion besides, and when its groups came by them; nothing where there was no time for it.
    fn intruded(
        &self,
        options: &Options,
        intrusion: &Intrusion,
        players: &[Visit],
        first: bool,
    ) -> Result<Option<(Options, Vec<Visit>)>, FleetError> {
        let mut tried = options.clone();
        if first {
            tried.begin = Some(players[0].time);
            tried.scenario.clone_from(&intrusion.scenario);
        } else {
            tried.scenario = format!("{}+{}", options.scenario, intrusion.scenario);
        }
        let Some(all) = fitting(actors(&tried.scenario))? else {
            return Ok(None);
        };
        // Names that were taken already have become others; their order has not.
        let own = actors(&intrusion.scenario)?;
        let added = all.len().saturating_sub(own.len());
        let mut cast = Vec::new();
        for (actor, role) in all.into_iter().skip(added).zip(own) {
            let number = self.tables.roles.iter().position(|known| *known == role);
            if let Some(visit) = number.and_then(|number| players.get(number)) {
                let seed = Random::new(self.options.seed, &visit.group, 0).next_u64() >> 12;
                tried.actor_seeds.insert(actor.clone(), seed);
                cast.push((actor, visit));
            }
        }
        let Some(begun) = rehearse(&tried)? else {
            return Ok(None);
        };
        let seen = cast.into_iter().map(|(actor, visit)| {
            let time = *begun.get(&actor)?;
            // A later group keeps the distance that its scenario gives it, which may be before the first one came, or
            // before it knew the weakness.
            let after_first = tried.begin.is_none_or(|begin| begin <= time);
            let knew = after_first && self.group(&visit.group).since <= time;
            let wave = self
                .tables
                .waves
                .rows
                .iter()
                .rfind(|wave| wave.from <= time)?;
            knew.then(|| Visit {
                time,
                wave: wave.name.clone(),
                group: visit.group.clone(),
            })
        });
        let seen: Option<Vec<Visit>> = seen.collect();
        Ok(seen.map(|seen| (tried, seen)))
    }

    /// What happens on a server that nobody broke into.
    fn leave_in_peace(
        &self,
        options: &mut Options,
        patched: Option<Moment>,
        random: &mut Random,
    ) -> Result<(), FleetError> {
        let rows = self.tables.quiet_hosts.rows.iter();
        let mut rows: Vec<_> = rows.filter(|row| row.is_for(patched)).collect();
        while let Some(row) = data::draw(random, rows.iter().copied()) {
            let mut tried = options.clone();
            tried.scenario.clone_from(&row.scenario);
            if row.mitigates {
                tried.begin = patched.map(Moment::timestamp);
                tried.patching = Patching::Never;
            }
            if rehearse(&tried)?.is_some() {
                *options = tried;
                return Ok(());
            }
            rows.retain(|other| other.scenario != row.scenario);
        }
        Err(FleetError::Tables(
            "nothing that happens in peace fits a host".into(),
        ))
    }

    fn group(&self, name: &str) -> &Group {
        let mut groups = self.tables.groups.rows.iter();
        groups
            .find(|group| group.name == name)
            .expect("visits name groups of the table")
    }
}

/// A name of two words that no other organisation of the fleet has.
fn organisation_name(
    tables: &Tables,
    sector: &Sector,
    random: &mut Random,
    taken: &mut BTreeSet<String>,
) -> String {
    let first = random.pick(&tables.names.first);
    let name = format!("{first}-{}", random.pick(&sector.words));
    let numbered = (2_u32..).map(|number| format!("{name}-{number}"));
    let free = std::iter::once(name.clone())
        .chain(numbered)
        .find(|name| !taken.contains(name))
        .expect("numbers do not end");
    taken.insert(free.clone());
    free
}

/// `Old quay mills` of `old-quay-mills`.
fn title(name: &str) -> String {
    let mut text = name.replace('-', " ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// Within its class an organisation is rather small than large.
fn employees(size: &Size, random: &mut Random) -> u32 {
    let (few, many) = size.employees;
    let most = random.between(few, many);
    u32::try_from(random.between(few, most)).unwrap_or(u32::MAX)
}

/// A name for the organisation's server of that number that no other server of the fleet has: `ALDEMIL-EX01`.
fn host_name(owner: &Owner<'_>, number: usize, taken: &mut BTreeSet<String>) -> String {
    let words: Vec<&str> = owner.domain.0.split('-').collect();
    let begin = |word: Option<&&str>, characters| {
        word.map_or(String::new(), |word| {
            word.chars().take(characters).collect()
        })
    };
    let code = format!("{}{}", begin(words.first(), 4), begin(words.get(1), 3)).to_uppercase();
    let tail = format!(
        "-{}",
        owner.pattern.replace("{nn}", &format!("{:02}", number + 1))
    );
    let room = HOST_NAME_CHARACTERS_MAX.saturating_sub(tail.len());
    let numbered = (2_u32..).map(|number| {
        let digits = number.to_string();
        let kept = room.saturating_sub(digits.len()).min(code.len());
        format!("{}{digits}{tail}", &code[..kept])
    });
    let name = std::iter::once(format!("{}{tail}", &code[..room.min(code.len())]))
        .chain(numbered)
        .find(|name| !taken.contains(name))
        .expect("numbers do not end");
    taken.insert(name.clone());
    name
}

/// One of the rows of a table that has some.
fn one_of<'a, T: Weighted>(random: &mut Random, rows: &'a [T]) -> &'a T {
    data::draw(random, rows.iter()).expect("a table of the fleet has rows with weights")
}

fn tilt(size: &Size, sector: &Sector, country: &Country) -> i64 {
    (size.tilt + sector.tilt + country.tilt).clamp(-1_000, 1_000)
}

/// The mean tilt of servers, over all groups of organisations.
fn mean_tilt(tables: &Tables) -> i64 {
    let (mut sum, mut servers) = (0, 0);
    for size in &tables.sizes.rows {
        for sector in &tables.sectors.rows {
            for country in &tables.countries.rows {
                let weight = size.weight() * sector.weight() * country.weight();
                let (few, many) = size.servers;
                let share = i64::try_from(weight).expect("weights are small") * (few + many);
                sum += share * tilt(size, sector, country);
                servers += share;
            }
        }
    }
    sum / servers.max(1)
}
