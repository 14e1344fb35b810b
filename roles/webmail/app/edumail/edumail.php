<?php

/**
 * What Roundcube lacks here: complete Vietnamese, who really connects, and the addresses a person may write from now.
 */
class edumail extends rcube_plugin
{
    public function init()
    {
        $rcube = rcube::get_instance();
        $rcube->load_language(null, [], $this->texts());

        $this->add_hook('storage_connect', [$this, 'say_who_connects']);
        $this->add_hook('login_after', [$this, 'align_identities']);
        $this->add_hook('render_mailboxlist', [$this, 'name_folders']);
        $this->add_hook('render_folder_selector', [$this, 'name_folders']);
    }

    /**
     * Texts for the language in use; a file of localization/ has the full names, those of plugins with their prefix.
     */
    private function texts()
    {
        $texts = [];
        $file = "{$this->home}/localization/{$_SESSION['language']}.inc";
        if (preg_match('/^[a-z]{2}_[A-Z]{2}$/', $_SESSION['language']) && is_file($file)) {
            include $file;
        }
        return $texts;
    }

    /**
     * Dovecot trusts this machine: it logs the address given here, and counts wrong passwords by it.
     */
    public function say_who_connects($args)
    {
        if (!empty($_SERVER['REMOTE_ADDR'])) {
            $args['preauth_ident'] = [
                'x-originating-ip' => $_SERVER['REMOTE_ADDR'],
                'x-originating-port' => $_SERVER['REMOTE_PORT'],
            ];
        }
        return $args;
    }

    /**
     * Posts change hands after Roundcube made a user's identities, which it does once: at each sign-in what is missing
     * is added, and what is no longer allowed is removed. A name or signature that a person chose is kept.
     */
    public function align_identities($args)
    {
        $user = rcube::get_instance()->user;
        $allowed = $this->senders();
        if (!$allowed) {
            return $args;
        }
        $present = $user->list_identities();
        foreach (array_diff_key($allowed, array_column($present, null, 'email')) as $identity) {
            $user->insert_identity($identity);
        }
        foreach ($present as $identity) {
            if (!isset($allowed[$identity['email']])) {
                $user->delete_identity($identity['identity_id']);
            }
        }
        return $args;
    }

    /**
     * Names of folders where Roundcube knows none: the archive, and the shared mailboxes. These stand in the list by
     * address, below the namespace that Dovecot gives them, and each has the folders that everybody has.
     */
    public function name_folders($args)
    {
        $rcube = rcube::get_instance();
        $names = ['Archive' => $this->gettext('archive')];
        foreach (['Drafts', 'Sent', 'Junk', 'Trash'] as $folder) {
            $names[$folder] = $rcube->gettext(strtolower($folder));
        }
        if (isset($args['list']['Archive'])) {
            $args['list']['Archive']['name'] = $names['Archive'];
        }
        if (isset($args['list']['Donvi'])) {
            $senders = $this->senders();
            $args['list']['Donvi']['name'] = $this->gettext('shared');
            foreach ($args['list']['Donvi']['folders'] as $address => &$mailbox) {
                $mailbox['name'] = $senders[$address]['name'] ?? $mailbox['name'];
                foreach ($mailbox['folders'] as $folder => &$inside) {
                    $inside['name'] = $names[$folder] ?? $inside['name'];
                }
            }
        }
        return $args;
    }

    /**
     * What the user may write from, by address: what virtuser_query finds in the province's data.
     */
    private function senders()
    {
        $name = rcube::get_instance()->user->get_username();
        return array_column((array) rcube_user::user2email($name, false, true), null, 'email');
    }
}
