# bash completion for muster: commands, verbs, options, their values, and names of hosts and groups out of the inventory,
# of domains and masters on the libvirt connection, or of restore points in the repository, that the line names. Needs
# bash 4.2 and nothing else; what goes wrong is silent.

@TABLES@

# Splits the line up to the cursor into `words`, without quotes, the last being the one at the cursor. `lead` is the
# part of that word which readline leaves alone: it replaces only what stands after a quote or a word break.
_muster_split() {
  local line=${COMP_LINE:0:COMP_POINT} i c quote='' word='' in_word=''
  words=() lead=''
  for ((i = 0; i < ${#line}; i++)); do
    c=${line:i:1}
    if [[ $c == "$quote" ]]; then
      quote='' lead=$word
    elif [[ $c == \\ && $quote != "'" ]]; then
      word+=${line:++i:1} in_word=yes
    elif [[ $quote ]]; then
      word+=$c
    elif [[ $c == [\'\"] ]]; then
      quote=$c lead=$word in_word=yes
    elif [[ $c == [[:space:]] ]]; then
      [[ ! $in_word ]] || words+=("$word")
      word='' in_word='' lead=''
    else
      # At `@` readline begins a word with the sign itself.
      [[ $c != @ || $COMP_WORDBREAKS != *@* ]] || lead=$word
      word+=$c in_word=yes
      [[ $c == @ || $COMP_WORDBREAKS != *"$c"* ]] || lead=$word
    fi
  done
  words+=("$word")
  # Variables set for this one command.
  while [[ ${#words[@]} -gt 1 && ${words[0]} == *=* ]]; do words=("${words[@]:1}"); done
}

# Reads the words before the cursor into `command`, `arguments`, `sources` (-i FILE ...), `connection` (-c URI),
# `repository` (-R REPO --key-file FILE), `value_of` (the option whose value comes next) and `script`; `after_dashes`
# tells that -- was seen.
_muster_read_words() {
  local i word rest
  for ((i = 1; i < ${#words[@]} - 1; i++)); do
    word=${words[i]}
    if [[ $value_of ]]; then
      _muster_note_value "$value_of" "$word"
      value_of=''
    elif [[ $after_dashes || $word != -?* ]]; then
      if [[ $command ]]; then arguments+=("$word"); else command=$word; fi
    elif [[ $word == -- ]]; then
      after_dashes=yes
    elif [[ $word == --*=* ]]; then
      _muster_note_value "${word%%=*}" "${word#*=}"
    elif [[ $word == --* ]]; then
      [[ ! ${_muster_values[$word]-} ]] || value_of=$word
    else
      # Letters in one word, up to the first that takes a value.
      for ((rest = 1; rest < ${#word}; rest++)); do
        [[ ${_muster_values[-${word:rest:1}]-} ]] || continue
        if ((rest + 1 < ${#word})); then
          _muster_note_value "-${word:rest:1}" "${word:rest+1}"
        else
          value_of=-${word:rest:1}
        fi
        break
      done
    fi
  done
}

_muster_note_value() {
  case $1 in
    -i | --inventory) sources+=(-i "${2/#\~\//$HOME/}") ;;
    -c | --connection) connection=(-c "$2") ;;
    -R | --repository | --key-file) repository+=("$1" "${2/#\~\//$HOME/}") ;;
    --script) script=yes ;;
  esac
}

# PREFIX TYPED WORD...: offers PREFIX before each word that begins with TYPED.
_muster_offer() {
  local prefix=$1 typed=$2 word
  shift 2
  for word; do
    [[ $word == "$typed"* ]] || continue
    COMPREPLY+=("$prefix$word")
    [[ $word != *: ]] || compopt -o nospace 2>/dev/null
  done
}

# PREFIX TYPED ACTION: what compgen -A ACTION knows.
_muster_offer_action() {
  local found
  mapfile -t found < <(compgen -A "$3" -- "$2" 2>/dev/null)
  [[ $3 != file && $3 != directory ]] || compopt -o filenames 2>/dev/null
  COMPREPLY+=("${found[@]/#/$1}")
}

# PREFIX TYPED: a file behind `@`, which readline must not take for a file name: it would put a backslash before it.
_muster_offer_list_file() {
  local i found
  mapfile -t found < <(compgen -A file -- "$2" 2>/dev/null)
  for ((i = 0; i < ${#found[@]}; i++)); do
    [[ ! -d ${found[i]/#\~\//$HOME/} ]] || { found[i]+=/ && compopt -o nospace 2>/dev/null; }
  done
  COMPREPLY+=("${found[@]/#/$1}")
}

# PREFIX TYPED OPTION...: names of hosts, or with --groups of groups; of domains where a connection is named, and no
# inventory.
_muster_offer_names() {
  local prefix=$1 typed=$2 names program=${words[0]/#\~\//$HOME/}
  shift 2
  if [[ ${connection[*]} && ! ${sources[*]} && ! ${MUSTER_INVENTORY-} ]]; then
    [[ ! $* ]] || return 0
    mapfile -t names < <(timeout 1 "$program" vm list -q --names "${connection[@]}" </dev/null 2>/dev/null)
  else
    mapfile -t names < <(timeout 2 "$program" inventory list -q "${sources[@]}" "$@" </dev/null 2>/dev/null)
  fi
  _muster_offer "$prefix" "$typed" "${names[@]}"
}

# TYPED PATTERN: words that mean restore points, or with a PATTERN of sed, what it makes of each.
_muster_offer_points() {
  local points program=${words[0]/#\~\//$HOME/}
  mapfile -t points < <(
    timeout 2 "$program" backup list -q --names "${repository[@]}" </dev/null 2>/dev/null | sed -n "${2-p}"
  )
  _muster_offer '' "$1" "${points[@]}"
}

# TYPED: names of masters, on the connection or the hypervisors of the inventory that the line names.
_muster_offer_masters() {
  local masters program=${words[0]/#\~\//$HOME/}
  mapfile -t masters < <(
    timeout 1 "$program" master list -q --names "${sources[@]}" "${connection[@]}" </dev/null 2>/dev/null
  )
  _muster_offer '' "$1" "${masters[@]}"
}

# PREFIX TYPED: the last term of a host pattern.
_muster_offer_pattern() {
  local prefix=$1 typed=$2 rest=${2##*[,:]}
  prefix+=${typed%"$rest"} typed=$rest
  if [[ $typed == [\&\!^]* ]]; then prefix+=${typed:0:1} typed=${typed:1}; fi
  if [[ $typed == @* ]]; then
    _muster_offer_list_file "$prefix@" "${typed:1}"
  elif [[ $typed != *[][~]* ]]; then
    _muster_offer_names "$prefix" "$typed"
    _muster_offer_names "$prefix" "$typed" --groups
  fi
}

# PREFIX TYPED KIND: a value, as the tables name its kind.
# shellcheck disable=SC2086 # words
_muster_offer_value() {
  case $3 in
    file | directory | user) _muster_offer_action "$1" "$2" "$3" ;;
    pattern) _muster_offer_pattern "$1" "$2" ;;
    'one of '*) _muster_offer "$1" "$2" ${3#one of } ;;
  esac
}

# TYPED: a word after a verb, of the kind that the table names in its place; the last kind goes on with dots behind it.
# shellcheck disable=SC2086 # words
_muster_offer_verb_argument() {
  local -a kinds
  local kind
  read -ra kinds <<<"${_muster_arguments["$command ${arguments[0]}"]-}"
  kind=${kinds[${#arguments[@]} - 1]-}
  [[ $kind || ${#kinds[@]} -eq 0 || ${kinds[${#kinds[@]} - 1]} != *... ]] || kind=${kinds[${#kinds[@]} - 1]}
  case $command:$kind in
    backup:PATTERN | backup:'[PATTERN]') _muster_offer_points "$1" 's/@latest$//p' ;;
    backup:POINT* | backup:'[POINT]'*) _muster_offer_points "$1" ;;
    backup:'[REPO]') _muster_offer_action '' "$1" directory ;;
    *:PATTERN | *:'[PATTERN]') _muster_offer_pattern '' "$1" ;;
    *:VM | *:'VM|IMAGE') _muster_offer_names '' "$1" ;;
    *:'FILE|PATTERN:DISK')
      _muster_offer_action '' "$1" file
      [[ $1 == */* ]] || _muster_offer_pattern '' "$1"
      ;;
    *:MASTER* | *:'[MASTER]') _muster_offer_masters "$1" ;;
    *[[:upper:]]*) ;;
    *'|'*) IFS='|' read -ra kinds <<<"$kind" && _muster_offer '' "$1" "${kinds[@]}" ;;
  esac
}

# TYPED: a word that is neither option nor value.
# shellcheck disable=SC2086 # words
_muster_offer_argument() {
  case $command:${#arguments[@]} in
    run:0 | ping:0) _muster_offer_pattern '' "$1" ;;
    ssh:0) _muster_offer_names '' "$1" ;;
    play:0) _muster_offer_action '' "$1" file ;;
    run:1 | ssh:1) if [[ $script ]]; then _muster_offer_action '' "$1" file; else _muster_offer_action '' "$1" command; fi ;;
    run:* | ssh:*) _muster_offer_action '' "$1" file ;;
    inventory:0) _muster_offer '' "$1" list show check discover ;;
    inventory:1)
      case ${arguments[0]} in
        list) _muster_offer_pattern '' "$1" ;;
        show) _muster_offer_names '' "$1" ;;
      esac
      ;;
    help:0) _muster_offer '' "$1" $_muster_commands ;;
    *:0) _muster_offer '' "$1" ${_muster_verbs[$command]-} ;;
    *) _muster_offer_verb_argument "$1" ;;
  esac
}

_muster() {
  local words lead command='' value_of='' after_dashes='' script='' typed name key
  local -a arguments=() sources=() connection=() repository=()
  COMPREPLY=()
  _muster_split
  typed=${words[${#words[@]} - 1]}
  _muster_read_words
  name=${typed%%=*}
  # shellcheck disable=SC2086 # words
  if [[ $value_of ]]; then
    _muster_offer_value '' "$typed" "${_muster_values[$value_of]}"
  elif [[ ! $after_dashes && $typed == --*=* ]]; then
    _muster_offer_value "$name=" "${typed#*=}" "${_muster_values[$name]-${_muster_optional_values[$name]-}}"
  elif [[ ! $after_dashes && $typed == -* ]]; then
    key="$command ${arguments[0]-}"
    _muster_offer '' "$typed" ${_muster_options[$key]-${_muster_options[${command:-every}]-}}
  elif [[ ! $command ]]; then
    _muster_offer '' "$typed" $_muster_commands
  else
    _muster_offer_argument "$typed"
  fi
  COMPREPLY=("${COMPREPLY[@]#"$lead"}")
}

complete -F _muster muster
