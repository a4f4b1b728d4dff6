//! Rights from teams, for a forge that has its packages switched off: its registry cannot be asked then.
//!
//! What a team may do is its unit for packages, or what it may do with everything. It needs the scopes `read:user` and
//! `read:organization`.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;

use crate::line::get;
use crate::rights::{Right, Standing};
use crate::{Forge, Found, Login, Unavailable};

/// Teams on one page: the forge gives no more.
const PAGE: usize = 50;
/// Pages that are read: nobody is in more teams.
const PAGES: usize = 20;

/// What somebody may do with the packages of organisations, by their names in lower case.
pub(crate) type Teams = Arc<BTreeMap<String, Right>>;

#[derive(Deserialize)]
struct Team {
    permission: String,
    #[serde(default)]
    units_map: BTreeMap<String, String>,
    organization: Organisation,
}

#[derive(Deserialize)]
struct Organisation {
    /// Releases before the field `name` have only this one, later ones have both.
    username: String,
}

impl Team {
    fn right(&self) -> Option<Right> {
        let word = match self.permission.as_str() {
            whole @ ("owner" | "admin") => whole,
            other => self.units_map.get("repo.packages").map_or(other, String::as_str),
        };
        match word {
            "owner" | "admin" | "write" => Some(Right::Write),
            "read" => Some(Right::Read),
            _ => None,
        }
    }
}

impl Forge {
    pub(crate) async fn by_teams(
        &self,
        who: Option<&Arc<Login>>,
        owner: &str,
        right: Right,
    ) -> Result<Standing, Unavailable> {
        let facts = self.owner(who, owner).await?.value;
        let visibility = facts.as_ref().map(|facts| facts.visibility.as_str());
        let visible = matches!((visibility, who), (Some("public"), _) | (Some("limited"), Some(_)));
        let Some(login) = who else {
            return Ok(if visible && right == Right::Read { Standing::Yes } else { Standing::No });
        };
        if let Found::Person(person) = self.person(login).await?.value
            && person.login.eq_ignore_ascii_case(owner)
        {
            return Ok(Standing::Yes);
        }
        if visible && right == Right::Read {
            return Ok(Standing::Yes);
        }
        let Some(teams) = self.teams(login).await? else { return Ok(Standing::NeedsScopes) };
        Ok(match (teams.get(&owner.to_ascii_lowercase()), facts) {
            (Some(Right::Write), _) => Standing::Yes,
            (Some(Right::Read), _) if right == Right::Read => Standing::Yes,
            (None, None) => Standing::NoOwner,
            _ => Standing::No,
        })
    }

    async fn teams(&self, login: &Arc<Login>) -> Result<Option<Teams>, Unavailable> {
        let (forge, login) = (self.clone(), Arc::clone(login));
        let key = login.key();
        let ask = async move { forge.list(&login).await };
        Ok(self.0.teams.get(&key, self.0.settings.now, ask).await?.value)
    }

    async fn list(&self, login: &Login) -> Result<Option<Teams>, Unavailable> {
        let mut found = BTreeMap::new();
        for page in 1..=PAGES {
            let path = format!("/api/v1/user/teams?limit={PAGE}&page={page}");
            let answer = self.0.line.ask(get(&path, login.header())).await?;
            if matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED) {
                return Ok(None);
            }
            let teams: Vec<Team> = answer.json()?;
            let last = teams.len() < PAGE;
            for team in teams {
                let Some(right) = team.right() else { continue };
                let kept = found.entry(team.organization.username.to_ascii_lowercase()).or_insert(right);
                if right == Right::Write {
                    *kept = right;
                }
            }
            if last {
                break;
            }
        }
        Ok(Some(Arc::new(found)))
    }
}
