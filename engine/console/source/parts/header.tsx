/** Where one is, who one is, and whether what one sees is live. */
import { Menu } from '@base-ui/react/menu';
import type { JSX } from 'react';
import { useLiveState } from '../api/live.ts';
import { useReader } from '../state/reader.ts';
import { Link, navigate, useAddress } from '../state/router.tsx';
import { THEMES, type Theme, useTheme } from '../state/theme.ts';
import { formatNumber } from './format.ts';
import { Words } from './words.tsx';

const PAGES = [
  { to: '/', name: 'Inbox', under: /^\/($|inbox|approvals)/ },
  { to: '/sessions', name: 'Sessions', under: /^\/sessions/ },
  { to: '/agents', name: 'Agents', under: /^\/agents/ },
  { to: '/search', name: 'Search', under: /^\/search/ },
  { to: '/reviews', name: 'Reviews', under: /^\/reviews/ },
  { to: '/delegations', name: 'Delegations', under: /^\/delegations/ },
] as const;
/** For those who read everything. */
const ALL_PAGES = [...PAGES, { to: '/targets', name: 'Targets', under: /^\/targets/ }] as const;

export function Header({ help, logout }: { readonly help: () => void; readonly logout: () => void }): JSX.Element {
  const { path } = useAddress();
  const { me, waiting } = useReader();
  return (
    <header className="header">
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <Link to="/" className="brand">
        Interlock
      </Link>
      <nav className="nav" aria-label="Pages">
        {(me.reads_all ? ALL_PAGES : PAGES).map(({ to, name, under }) => (
          <Link key={to} to={to} className={`nav-${name.toLowerCase()}`} aria-current={under.test(path) ? 'page' : undefined}>
            {name}
            {to === '/' && waiting !== null && waiting.total > 0 && (
              <span className="many" aria-label={`${waiting.total} to decide`}>
                {formatNumber(waiting.total)}
              </span>
            )}
          </Link>
        ))}
      </nav>
      <div className="header-end">
        <LiveMark />
        <button type="button" className="plain-key" onClick={help} aria-label="Keyboard help">
          ?
        </button>
        <Account logout={logout} />
      </div>
    </header>
  );
}

function LiveMark(): JSX.Element {
  const state = useLiveState();
  const says = { connecting: 'connecting', live: 'live', away: 'reconnecting' }[state];
  return (
    <span className={`live ${state}`} role="status" title={state === 'away' ? 'What you see may be old; it is fetched again by itself.' : undefined}>
      {says}
    </span>
  );
}

const THEME_NAMES: Readonly<Record<Theme, string>> = { system: 'As the system', light: 'Light', dark: 'Dark' };

function Account({ logout }: { readonly logout: () => void }): JSX.Element {
  const { me } = useReader();
  const [theme, setTheme] = useTheme();
  return (
    <Menu.Root>
      <Menu.Trigger className="account">
        <Words>{me.login}</Words>
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner align="end" sideOffset={6} className="menu-place">
          <Menu.Popup className="menu">
            <Menu.Group>
              <Menu.GroupLabel className="menu-label">
                <Words>{me.groups.length === 0 ? 'no groups' : me.groups.slice(0, 8).join(', ')}</Words>
                {me.decides ? ' · may decide' : ' · may not decide'}
                {me.reads_all && ' · reads everything'}
              </Menu.GroupLabel>
            </Menu.Group>
            <Menu.Separator className="menu-line" />
            <Menu.RadioGroup value={theme} onValueChange={(value) => setTheme(value as Theme)}>
              {THEMES.map((each) => (
                <Menu.RadioItem key={each} value={each} className="menu-item" closeOnClick={false}>
                  <Menu.RadioItemIndicator className="menu-mark">✓</Menu.RadioItemIndicator>
                  {THEME_NAMES[each]}
                </Menu.RadioItem>
              ))}
            </Menu.RadioGroup>
            <Menu.Separator className="menu-line" />
            <Menu.Item className="menu-item" onClick={() => navigate('/agents')}>
              Agents
            </Menu.Item>
            <Menu.Item className="menu-item" onClick={() => navigate('/delegations')}>
              Delegations
            </Menu.Item>
            {me.reads_all && (
              <>
                <Menu.Item className="menu-item" onClick={() => navigate('/targets')}>
                  Targets and enforcers
                </Menu.Item>
                <Menu.Item className="menu-item" onClick={() => navigate('/notifications')}>
                  Messages
                </Menu.Item>
              </>
            )}
            <Menu.Item className="menu-item" onClick={logout}>
              Log out
            </Menu.Item>
            <p className="menu-label">{`Interlock ${me.version}`}</p>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
